/* crc32c.h - the Castagnoli checksum (RFC 3720 appendix B.4) that guards our own files. Any thread. */
#ifndef RF_CORE_CRC32C_H
#define RF_CORE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Continues `crc` (0 to begin) over the bytes. rf_crc32c(0, "123456789", 9) == 0xE3069283. */
uint32_t rf_crc32c(uint32_t crc, const void *data, size_t size_bytes);

#endif
