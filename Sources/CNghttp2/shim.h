#ifndef BANYAN_CNGHTTP2_SHIM_H
#define BANYAN_CNGHTTP2_SHIM_H

#include <nghttp2/nghttp2.h>

/* nghttp2_frame is a union, which Swift would copy as a whole for each member that is read. */
static inline nghttp2_frame_hd banyan_h2_header(const nghttp2_frame *frame) { return frame->hd; }
static inline nghttp2_headers_category banyan_h2_headers_category(const nghttp2_frame *frame) {
    return frame->headers.cat;
}
static inline uint32_t banyan_h2_reset_code(const nghttp2_frame *frame) { return frame->rst_stream.error_code; }
static inline const uint8_t *banyan_h2_ping_data(const nghttp2_frame *frame) { return frame->ping.opaque_data; }

#endif
