#pragma once
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

// Swift imports neither macros that hide calls and casts nor the typed stacks: each wrapper fixes the types of one call.

static inline void banyan_ssl_ctx_set_options(SSL_CTX *context) {
    // Our order of ciphers counts, but a client without AES in hardware, which puts ChaCha20 first, gets ChaCha20.
    SSL_CTX_set_options(
        context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
            SSL_OP_PRIORITIZE_CHACHA);
}
static inline void banyan_ssl_ctx_set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(
        context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}
static inline int banyan_ssl_ctx_set_minimum(SSL_CTX *context, int version) {
    return SSL_CTX_set_min_proto_version(context, version);
}
static inline void banyan_ssl_ctx_disable_cache(SSL_CTX *context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}
static inline void banyan_ssl_ctx_read_ahead(SSL_CTX *context) { SSL_CTX_set_read_ahead(context, 1); }
static inline int banyan_ssl_ctx_set_groups(SSL_CTX *context, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(context, groups);
}
static inline void banyan_ssl_ctx_set_name_callback(SSL_CTX *context, int (*callback)(SSL *, int *, void *), void *data) {
    SSL_CTX_set_tlsext_servername_callback(context, callback);
    SSL_CTX_set_tlsext_servername_arg(context, data);
}
static inline void banyan_ssl_ctx_set_status_callback(SSL_CTX *context, int (*callback)(SSL *, void *), void *data) {
    SSL_CTX_set_tlsext_status_cb(context, callback);
    SSL_CTX_set_tlsext_status_arg(context, data);
}
// OpenSSL frees `copy`, which came from OPENSSL_malloc.
static inline void banyan_ssl_set_status_response(SSL *ssl, const void *bytes, long count) {
    void *copy = OPENSSL_memdup(bytes, (size_t)count);
    if (copy) SSL_set_tlsext_status_ocsp_resp(ssl, copy, count);
}
static inline int banyan_ssl_ctx_set_verify_store(SSL_CTX *context, X509_STORE *store) {
    return (int)SSL_CTX_set1_verify_cert_store(context, store);
}

static inline void banyan_bio_retry_reading(BIO *bio) { BIO_set_retry_read(bio); }
static inline void banyan_bio_retry_writing(BIO *bio) { BIO_set_retry_write(bio); }
static inline void banyan_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline STACK_OF(X509) *banyan_chain_new(void) { return sk_X509_new_null(); }
static inline int banyan_chain_push(STACK_OF(X509) *chain, X509 *certificate) { return sk_X509_push(chain, certificate); }
static inline void banyan_chain_free(STACK_OF(X509) *chain) { sk_X509_free(chain); }

static inline GENERAL_NAMES *banyan_alternative_names(const X509 *certificate) {
    return (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
}
static inline int banyan_names_count(const GENERAL_NAMES *names) { return sk_GENERAL_NAME_num(names); }
// The type of the name at `index`, with its text where the type has one (DNS, mail, URI, address).
static inline int banyan_name_at(const GENERAL_NAMES *names, int index, const ASN1_STRING **text) {
    int type = 0;
    void *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);
    *text = type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI || type == GEN_IPADD ? (const ASN1_STRING *)value : NULL;
    return type;
}
static inline unsigned long banyan_name_flags(void) { return XN_FLAG_RFC2253; }
static inline long banyan_bio_memory(BIO *bio, const char **bytes) { return BIO_get_mem_data(bio, (char **)bytes); }
static inline int banyan_error_reason(unsigned long code) { return ERR_GET_REASON(code); }
static inline int banyan_mac_set_key(EVP_MAC_CTX *mac, void *key, size_t count) {
    char digest[] = "SHA256";
    OSSL_PARAM parameters[3];
    parameters[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, count);
    parameters[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
    parameters[2] = OSSL_PARAM_construct_end();
    return EVP_MAC_CTX_set_params(mac, parameters);
}
