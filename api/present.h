/* present.h - the records of the platform as JSON for clients. What is not written here is not sent. */
#ifndef RF_API_PRESENT_H
#define RF_API_PRESENT_H

#include "api/reply.h"
#include "domain/dataset.h"
#include "domain/user.h"
#include "scheduler/jobs.h"

void rfi_put_user(rf_buf *out, const rf_user *user, bool listed);
/* `whole`: with columns and warnings. */
void rfi_put_dataset(rf_buf *out, const rf_dataset *dataset, bool whole);
/* `for_admin` adds the owner. */
void rfi_put_status(rf_buf *out, const rf_job_view *view, bool for_admin);
void rfi_put_model(rf_buf *out, const rf_model_card *card);

/* Of a page of a list: the id to begin below, from ?cursor= (0: from the newest); MALFORMED for one that is not ours. */
rf_code rfi_page_begin(const rfi_call *call, int64_t *before_id, int32_t *limit, rf_error *err) RF_MUST_CHECK;
/* Closes the items and writes next_cursor: after a full page the last id, else null. */
void rfi_page_end(rf_buf *out, int32_t n, int32_t limit, int64_t last_id);

#endif
