import ByteBuffers
import HTTPMessage

/// The name that these characters spell.
func headerName(_ text: String) -> HeaderName { HeaderName.named(Array(text.utf8).span) }

/// The address that these characters spell, if they do.
func address(_ text: String) -> IPAddress? { IPAddress(Array(text.utf8).span) }

/// The text of an address.
func text(_ address: IPAddress) -> String {
    var out = ByteBuffer()
    out.append(address)
    return out.text
}

/// The block that these characters spell.
func block(_ text: String) throws(CIDRBlock.Fault) -> CIDRBlock { try CIDRBlock(Array(text.utf8).span) }
