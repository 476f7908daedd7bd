/* openapi.h - the documentation, made from the route table: /openapi.json (OpenAPI 3.1) and the plain page /docs. */
#ifndef RF_API_OPENAPI_H
#define RF_API_OPENAPI_H

#include "api/document.h"
#include "api/server.h"

rf_code rfi_openapi_make(const rf_server *server, rfi_document *out, rf_error *err) RF_MUST_CHECK;
rf_code rfi_docs_make(const rf_server *server, rfi_document *out, rf_error *err) RF_MUST_CHECK;

#endif
