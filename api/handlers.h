/* handlers.h - what answers each row of the route table. Each parses, asks the scheduler and replies. */
#ifndef RF_API_HANDLERS_H
#define RF_API_HANDLERS_H

#include "api/reply.h"

/* operations: handle_ops.c, handle_docs.c */
rf_code rfi_health(rfi_call *call, rf_error *err);
rf_code rfi_ready(rfi_call *call, rf_error *err);
rf_code rfi_metrics(rfi_call *call, rf_error *err);
rf_code rfi_openapi(rfi_call *call, rf_error *err);
rf_code rfi_docs(rfi_call *call, rf_error *err);
rf_code rfi_redoc(rfi_call *call, rf_error *err);
rf_code rfi_docs_asset(rfi_call *call, rf_error *err);

#endif
