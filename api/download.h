/* download.h - a stored file as a stream. */
#ifndef RF_API_DOWNLOAD_H
#define RF_API_DOWNLOAD_H

#include "api/reply.h"
#include "domain/dataset.h"
#include "scheduler/artifacts.h"

/* The bytes of an open download; takes it, also when there is no memory (NULL). */
rfi_stream *rfi_download_stream(rf_download *download);

/* Answers with an artifact, whole or in part. `shown`: in the browser, not to be saved. */
rf_code rfi_reply_artifact(rfi_call *call, const rf_artifact *artifact, bool shown,
                           rf_error *err) RF_MUST_CHECK;

#endif
