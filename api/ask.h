/* ask.h - a request for a generation, read from its JSON body. */
#ifndef RF_API_ASK_H
#define RF_API_ASK_H

#include "api/call.h"
#include "scheduler/jobs.h"

/* Fills both from call->json, whose shape was checked. Texts live as long as the call. USAGE names the field in the error's context;
 * NOT_AVAILABLE for what this version cannot do. */
rf_code rfi_ask_generation(rfi_call *call, rf_generation *out, rf_params *params,
                           rf_error *err) RF_MUST_CHECK;

/* {"column": value, …} as conditions; numbers and flags become the text that a table would have. */
rf_code rfi_ask_conditions(rfi_call *call, const json_t *json, const rf_plan_condition **out, int32_t *n,
                           rf_error *err) RF_MUST_CHECK;

#endif
