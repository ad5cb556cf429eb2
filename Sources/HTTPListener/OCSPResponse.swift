import COpenSSL

/// What must hold for an OCSP response that is stapled (RFC 6960 §4.2).
enum OCSPResponse {
    /// Checks a response for the certificate at the head of `chain` and returns until when it holds, in seconds since
    /// 1970; without a named end that is for ever.
    ///
    /// - Throws: ``TLSProblem`` where it is no response, or not for this certificate.
    static func end(
        _ bytes: [UInt8], chain: [OpaquePointer], place: TLSProblem.Place
    ) throws(TLSProblem) -> Int64 {
        defer { ERR_clear_error() }
        var response: OpaquePointer?
        bytes.withUnsafeBufferPointer { buffer in
            var next = buffer.baseAddress
            response = d2i_OCSP_RESPONSE(nil, &next, buffer.count)
        }
        guard let response else { throw TLSProblem(place, "expected an OCSP response in DER form") }
        defer { OCSP_RESPONSE_free(response) }
        guard OCSP_response_status(response) == OCSP_RESPONSE_STATUS_SUCCESSFUL,
            let basic = OCSP_response_get1_basic(response)
        else { throw TLSProblem(place, "the OCSP response says that the responder failed") }
        defer { OCSP_BASICRESP_free(basic) }
        guard OCSP_resp_count(basic) > 0, let single = OCSP_resp_get0(basic, 0) else {
            throw TLSProblem(place, "the OCSP response is about no certificate")
        }
        // The issuer's hash can be checked only where the chain has the issuer; the serial number always.
        if let id = OCSP_SINGLERESP_get0_id(single) {
            var serial: UnsafeMutablePointer<ASN1_INTEGER>?
            OCSP_id_get0_info(nil, nil, nil, &serial, id)
            if ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(chain[0])) != 0 {
                throw TLSProblem(place, "the OCSP response is about another certificate")
            }
        }
        var nextUpdate: UnsafeMutablePointer<ASN1_GENERALIZEDTIME>?
        var reason: CInt = 0
        let status = OCSP_single_get0_status(single, &reason, nil, nil, &nextUpdate)
        if status == V_OCSP_CERTSTATUS_REVOKED { throw TLSProblem(place, "the certificate has been revoked") }
        return nextUpdate.map { TLSCertificate.seconds($0) } ?? .max
    }
}
