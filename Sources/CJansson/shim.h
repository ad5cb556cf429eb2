#ifndef BANYAN_CJANSSON_SHIM_H
#define BANYAN_CJANSSON_SHIM_H

#include <jansson.h>
#include <stddef.h>

/* json_typeof is a macro. */
static inline json_type banyan_json_typeof(const json_t *value) { return json_typeof(value); }

/* The error text is an array inside the struct, which Swift sees as a tuple of 160 elements. */
static inline const char *banyan_json_error_text(const json_error_t *error) { return error->text; }

#endif
