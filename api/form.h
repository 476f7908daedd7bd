/* form.h - an uploaded file, found in a multipart/form-data body (RFC 7578) as it arrives.
 *
 *     RF_TRY(rfi_form_open(&form, content_type, call, err));
 *     RF_TRY(rfi_form_feed(form, bytes, n, err));        // any pieces, in order; the file's bytes go to the route's sink
 *     RF_TRY(rfi_form_finish(form, err));                // the closing boundary was there, and one file
 *     rfi_form_free(form);
 *
 * What is held in memory is one block and the longest line that a boundary may be. The form has exactly one part,
 * named "file"; others are refused by name.
 *
 * Threads: one at a time.
 */
#ifndef RF_API_FORM_H
#define RF_API_FORM_H

#include <stddef.h>
#include <stdint.h>

#include "api/route.h"

enum { RFI_FILE_NAME_BYTES = 1024 };

typedef struct rfi_form rfi_form;

/* MALFORMED without a boundary. The sink is that of call->route; begin is told the file's name as it came. */
rf_code rfi_form_open(rfi_form **out, const char *content_type, rfi_call *call, rf_error *err) RF_MUST_CHECK;
/* MALFORMED, INPUT (another field than "file", or two of it), and what the sink says. */
rf_code rfi_form_feed(rfi_form *form, const char *data, size_t size_bytes, rf_error *err) RF_MUST_CHECK;
rf_code rfi_form_finish(rfi_form *form, rf_error *err) RF_MUST_CHECK;
void rfi_form_free(rfi_form *form); /* NULL is fine */

#endif
