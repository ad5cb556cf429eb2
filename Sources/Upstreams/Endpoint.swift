import EventLoops

/// One server of an upstream, as one worker sees it.
package final class Endpoint {
    package let address: EndpointAddress
    /// Its share of the requests, relative to the other servers'.
    package let weight: Int
    /// Requests that are under way from this worker.
    package private(set) var active = 0
    /// Requests that this worker has sent it.
    package private(set) var total: UInt64 = 0
    let bounds: UpstreamBounds
    let resolver: EndpointResolver
    let pool: ConnectionPool

    init(address: EndpointAddress, weight: Int, loop: EventLoop, curl: CurlMulti, bounds: UpstreamBounds) {
        self.address = address
        self.weight = weight
        self.bounds = bounds
        resolver = EndpointResolver(host: address.host, loop: loop)
        pool = ConnectionPool(address: address, resolver: resolver, loop: loop, curl: curl, bounds: bounds)
        resolver.changed = { [unowned pool] in pool.addressesChanged() }
    }

    func attemptBegan() {
        active += 1
        total &+= 1
    }

    func attemptEnded() {
        active -= 1
        bounds.giveRequest()
    }

    /// No new requests come: idle connections are closed, others when their request has ended.
    func retire() {
        pool.retire()
    }
}
