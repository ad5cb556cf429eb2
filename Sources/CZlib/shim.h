#pragma once

#include <zlib.h>

/* deflateInit2 is a macro. */
static inline int banyan_deflate_init_gzip(z_stream *stream, int level) {
    return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

/* inflateInit2 is a macro. */
static inline int banyan_inflate_init_gzip(z_stream *stream) {
    return inflateInit2(stream, 15 + 16);
}
