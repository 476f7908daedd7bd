/* container.h - the outer form of our own files: a header, then named sections, each with its checksum.
 *
 *     rfi_container_begin(&bytes, RFI_CONTAINER_MODEL);
 *     size_t at = rfi_section_begin(&bytes, "INFO");
 *     rf_put_u64(&bytes, seed);
 *     rfi_section_end(&bytes, at);
 *     rfi_container_end(&bytes);                           // bytes.failed says whether memory ran out
 *
 * Reading checks everything (magic, version, sizes, checksums) before it hands out a single section. The form
 * is described byte by byte in docs/model-file.md.
 */
#ifndef RF_ENGINE_CONTAINER_H
#define RF_ENGINE_CONTAINER_H

#include "core/buf.h"
#include "core/error.h"

typedef enum rfi_container_kind {
    RFI_CONTAINER_MODEL,
    RFI_CONTAINER_CHECKPOINT,
} rfi_container_kind;

enum {
    RFI_CONTAINER_VERSION = 1,
    RFI_CONTAINER_HEADER_BYTES = 32,
    RFI_SECTION_HEADER_BYTES = 16,
    RFI_SECTIONS_MAX = 16
};

void rfi_container_begin(rf_buf *out, rfi_container_kind kind);
size_t rfi_section_begin(rf_buf *out, const char tag[5]);
void rfi_section_end(rf_buf *out, size_t at);
void rfi_container_end(rf_buf *out);

typedef struct rfi_section {
    char tag[5];
    const char *data; /* lent by the bytes that were opened */
    size_t size_bytes;
} rfi_section;

typedef struct rfi_container {
    const char *name; /* for messages */
    int n_sections;
    rfi_section sections[RFI_SECTIONS_MAX];
} rfi_container;

/* `name` stands for the file in messages. CORRUPT, with a sentence, for anything that is not a whole,
 * unaltered file of this kind and version. */
rf_code rfi_container_open(rfi_container *out, rfi_container_kind kind, const char *name, const char *data,
                           size_t size_bytes, rf_error *err) RF_MUST_CHECK;
rf_code rfi_container_section(const rfi_container *container, const char *tag, rf_reader *out,
                              rf_error *err) RF_MUST_CHECK;

/* What is left in a reader that should be at its end, or a reader that ran dry, is CORRUPT. */
rf_code rfi_section_finish(const rfi_container *container, const char *tag, const rf_reader *reader,
                           rf_error *err) RF_MUST_CHECK;

#endif
