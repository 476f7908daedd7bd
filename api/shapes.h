/* shapes.h - the bodies that come in and go out, as schemas. Fields that a reply has are all listed, and nothing else is
 * ever sent: a shape is also the list of what may leave the house. */
#ifndef RF_API_SHAPES_H
#define RF_API_SHAPES_H

#include "api/route.h"

/* what is asked */
extern const rfi_schema rfi_shape_register, rfi_shape_login, rfi_shape_refresh;
extern const rfi_schema rfi_shape_kinds; /* PUT …/columns */
extern const rfi_schema rfi_shape_start, rfi_shape_start_v2, rfi_shape_sample, rfi_shape_reject;

/* what is answered */
extern const rfi_schema rfi_shape_user, rfi_shape_listed_user, rfi_shape_users, rfi_shape_tokens;
extern const rfi_schema rfi_shape_uploaded, rfi_shape_dataset, rfi_shape_datasets;
extern const rfi_schema rfi_shape_started, rfi_shape_status, rfi_shape_requests, rfi_shape_link,
    rfi_shape_report;
extern const rfi_schema rfi_shape_config, rfi_shape_validated;
extern const rfi_schema rfi_shape_model, rfi_shape_models;
extern const rfi_schema rfi_shape_workers, rfi_shape_queues, rfi_shape_dead, rfi_shape_health,
    rfi_shape_readiness;

/* parameters of queries */
extern const rfi_query rfi_query_page[], rfi_query_requests[], rfi_query_download[];

#endif
