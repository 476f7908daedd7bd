/* sampled.h - rows that a worker makes while they are sent: the reply of POST /models/{id}/sample. */
#ifndef RF_API_SAMPLED_H
#define RF_API_SAMPLED_H

#include "api/reply.h"

/* Answers with the parts of a sampling job, in order, as they come; with an error when it fails before the first. A client that
 * leaves cancels it. */
rf_code rfi_reply_sampled(rfi_call *call, int64_t job_id, const char *type, rf_error *err) RF_MUST_CHECK;

#endif
