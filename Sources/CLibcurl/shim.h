#pragma once
#include <curl/curl.h>
#include <openssl/ssl.h>

// Swift imports neither variadic functions nor macros that hide them: each wrapper fixes the types of one call.

static inline CURLcode banyan_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode banyan_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode banyan_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode banyan_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode banyan_curl_get_private(CURL *easy, char **value) {
    return curl_easy_getinfo(easy, CURLINFO_PRIVATE, value);
}
static inline CURLcode banyan_curl_get_socket(CURL *easy, curl_socket_t *value) {
    return curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, value);
}
static inline CURLcode banyan_curl_get_address(CURL *easy, char **value) {
    return curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, value);
}
static inline CURLMcode banyan_curl_multi_set_socket_callback(CURLM *multi, curl_socket_callback callback, void *data) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, data);
    return code != CURLM_OK ? code : curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, callback);
}
static inline CURLMcode banyan_curl_multi_set_timer_callback(CURLM *multi, curl_multi_timer_callback callback, void *data) {
    CURLMcode code = curl_multi_setopt(multi, CURLMOPT_TIMERDATA, data);
    return code != CURLM_OK ? code : curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, callback);
}
static inline CURL *banyan_curl_finished(CURLMsg *message, CURLcode *result) {
    *result = message->data.result;
    return message->msg == CURLMSG_DONE ? message->easy_handle : NULL;
}
static inline CURLcode banyan_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}
static inline CURLcode banyan_curl_set_data_callback(CURL *easy, CURLoption option, curl_write_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}
static inline CURLcode banyan_curl_set_trailer_callback(CURL *easy, curl_trailer_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_TRAILERFUNCTION, callback);
}
static inline CURLcode banyan_curl_set_prerequest_callback(CURL *easy, curl_prereq_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
}
static inline CURLcode banyan_curl_set_open_callback(CURL *easy, curl_opensocket_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}
static inline CURLcode banyan_curl_set_close_callback(CURL *easy, curl_closesocket_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, callback);
}
static inline CURLMcode banyan_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// ALPN is a matter of the TLS library, which libcurl hands over while it sets a connection up.
static inline CURLcode banyan_curl_offer_http2_in(CURL *easy, void *context, void *data) {
    static const unsigned char offer[] = {2, 'h', '2'};
    (void)easy;
    (void)data;
    return SSL_CTX_set_alpn_protos((SSL_CTX *)context, offer, sizeof offer) == 0 ? CURLE_OK : CURLE_OUT_OF_MEMORY;
}
static inline CURLcode banyan_curl_offer_http2(CURL *easy) {
    curl_ssl_ctx_callback callback = banyan_curl_offer_http2_in;
    return curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, callback);
}
