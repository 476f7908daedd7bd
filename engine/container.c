#include "engine/container.h"

#include <assert.h>
#include <string.h>

#include "core/crc32c.h"

enum { MAGIC_BYTES = 8, AT_SECTIONS = 12, AT_TOTAL = 16, AT_CRC = 28 };

/* As PNG's: a byte that is no text, a line end that a text transfer would change, an end-of-file mark. */
static const char *const magics[] = {
    [RFI_CONTAINER_MODEL] = "\x89RFM\r\n\x1a\n",
    [RFI_CONTAINER_CHECKPOINT] = "\x89RFC\r\n\x1a\n",
};
static const char *const kind_names[] = {
    [RFI_CONTAINER_MODEL] = "a rowforge model file",
    [RFI_CONTAINER_CHECKPOINT] = "a rowforge checkpoint",
};

/* ------------------------------------------------------------------ writing */

static void patch(rf_buf *out, size_t at, uint64_t value, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        out->data[at + (size_t)i] = (char)(value >> (8 * i));
}

void rfi_container_begin(rf_buf *out, rfi_container_kind kind)
{
    assert(out->size_bytes == 0);
    rf_buf_append(out, magics[kind], MAGIC_BYTES);
    rf_put_u32(out, RFI_CONTAINER_VERSION);
    rf_put_u32(out, 0); /* sections */
    rf_put_u64(out, 0); /* bytes in all */
    rf_put_u32(out, 0); /* reserved */
    rf_put_u32(out, 0); /* checksum of the header */
}

size_t rfi_section_begin(rf_buf *out, const char tag[5])
{
    const size_t at = out->size_bytes;
    rf_buf_append(out, tag, 4);
    rf_put_u32(out, 0); /* checksum */
    rf_put_u64(out, 0); /* length */
    return at;
}

/* The checksum covers tag and length too, so that a section cannot turn into another one. */
static uint32_t section_crc(const char *header, size_t payload_bytes)
{
    uint32_t crc = rf_crc32c(0, header, 4);
    return rf_crc32c(crc, header + 8, 8 + payload_bytes);
}

void rfi_section_end(rf_buf *out, size_t at)
{
    if (out->failed)
        return;
    const size_t payload_bytes = out->size_bytes - at - RFI_SECTION_HEADER_BYTES;
    patch(out, at + 8, payload_bytes, 8);
    patch(out, at + 4, section_crc(out->data + at, payload_bytes), 4);
    out->data[AT_SECTIONS]++; /* far fewer than 256 */
}

void rfi_container_end(rf_buf *out)
{
    if (out->failed)
        return;
    patch(out, AT_TOTAL, out->size_bytes, 8);
    patch(out, AT_CRC, rf_crc32c(0, out->data, AT_CRC), 4);
}

/* ------------------------------------------------------------------ reading */

static rf_code check_magic(rfi_container_kind kind, const char *name, const char *data, size_t size_bytes,
                           rf_error *err)
{
    const rfi_container_kind other =
        kind == RFI_CONTAINER_MODEL ? RFI_CONTAINER_CHECKPOINT : RFI_CONTAINER_MODEL;
    if (size_bytes >= MAGIC_BYTES && memcmp(data, magics[other], MAGIC_BYTES) == 0)
        return rf_fail(err, RF_CORRUPT, "%s is %s, not %s", name, kind_names[other], kind_names[kind]);
    if (size_bytes < MAGIC_BYTES || memcmp(data, magics[kind], MAGIC_BYTES) != 0)
        return rf_fail(err, RF_CORRUPT, "%s is not %s", name, kind_names[kind]);
    return RF_OK;
}

static rf_code check_header(rfi_container_kind kind, const char *name, const char *data, size_t size_bytes,
                            uint32_t *n_sections, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_reader reader;
    RF_TRY(check_magic(kind, name, data, size_bytes, err));
    if (size_bytes < RFI_CONTAINER_HEADER_BYTES)
        return rf_fail(err, RF_CORRUPT, "%s is cut short: not even its header is whole", name);
    rf_reader_init(&reader, data + MAGIC_BYTES, RFI_CONTAINER_HEADER_BYTES - MAGIC_BYTES);
    const uint32_t version = rf_get_u32(&reader);
    *n_sections = rf_get_u32(&reader);
    const uint64_t total = rf_get_u64(&reader);
    (void)rf_get_u32(&reader);
    const uint32_t crc = rf_get_u32(&reader);
    /* The version first: what a later one puts into the rest of the header is not known here. */
    if (version > RFI_CONTAINER_VERSION)
        return rf_fail(err, RF_CORRUPT,
                       "%s has format version %u, made by a newer rowforge; this one reads version %d", name,
                       version, RFI_CONTAINER_VERSION);
    if (version != RFI_CONTAINER_VERSION || crc != rf_crc32c(0, data, AT_CRC) ||
        *n_sections > RFI_SECTIONS_MAX)
        return rf_fail(err, RF_CORRUPT, "%s is damaged: its header does not match its checksum", name);
    if (total > size_bytes)
        return rf_fail(err, RF_CORRUPT, "%s is cut short: %zu of %llu bytes are there", name, size_bytes,
                       (unsigned long long)total);
    if (total < size_bytes)
        return rf_fail(err, RF_CORRUPT, "%s is damaged: bytes follow its end", name);
out:
    return rc;
}

/* Names of sections are capital letters; what else stands there is no text for a message. */
static bool is_tag(const char tag[4])
{
    for (int i = 0; i < 4; i++)
        if (tag[i] < 'A' || tag[i] > 'Z')
            return false;
    return true;
}

static rf_code read_section(rfi_section *out, const char *name, rf_reader *reader, rf_error *err)
{
    const char *header = (const char *)reader->at;
    rf_get_bytes(reader, out->tag, 4);
    const uint32_t crc = rf_get_u32(reader);
    const uint64_t length = rf_get_u64(reader);
    if (reader->failed || length > rf_reader_left(reader))
        return rf_fail(err, RF_CORRUPT, "%s is damaged: a section reaches past its end", name);
    if (!is_tag(out->tag))
        return rf_fail(err, RF_CORRUPT, "%s is damaged: the name of a section was altered", name);
    if (crc != section_crc(header, (size_t)length))
        return rf_fail(err, RF_CORRUPT, "%s is damaged: section %.4s does not match its checksum", name,
                       out->tag);
    out->data = (const char *)reader->at;
    out->size_bytes = (size_t)length;
    reader->at += length;
    return RF_OK;
}

rf_code rfi_container_open(rfi_container *out, rfi_container_kind kind, const char *name, const char *data,
                           size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    uint32_t n_sections = 0;
    rf_reader reader;
    *out = (rfi_container){.name = name};
    RF_TRY(check_header(kind, name, data, size_bytes, &n_sections, err));
    rf_reader_init(&reader, data + RFI_CONTAINER_HEADER_BYTES, size_bytes - RFI_CONTAINER_HEADER_BYTES);
    for (uint32_t i = 0; i < n_sections; i++) {
        RF_TRY(read_section(&out->sections[i], name, &reader, err));
        out->n_sections++;
    }
    if (rf_reader_left(&reader) > 0)
        rc = rf_fail(err, RF_CORRUPT, "%s is damaged: bytes follow its last section", name);
out:
    return rc;
}

rf_code rfi_container_section(const rfi_container *container, const char *tag, rf_reader *out, rf_error *err)
{
    for (int i = 0; i < container->n_sections; i++) {
        const rfi_section *section = &container->sections[i];
        if (memcmp(section->tag, tag, 4) == 0) {
            rf_reader_init(out, section->data, section->size_bytes);
            return RF_OK;
        }
    }
    return rf_fail(err, RF_CORRUPT, "%s is damaged: it has no section %s", container->name, tag);
}

rf_code rfi_section_finish(const rfi_container *container, const char *tag, const rf_reader *reader,
                           rf_error *err)
{
    if (reader->failed)
        return rf_fail(err, RF_CORRUPT, "%s is damaged: section %s ends too early", container->name, tag);
    if (rf_reader_left(reader) > 0)
        return rf_fail(err, RF_CORRUPT, "%s is damaged: section %s is longer than it should be",
                       container->name, tag);
    return RF_OK;
}
