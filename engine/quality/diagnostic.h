/* diagnostic.h - is the synthetic table valid at all: SDMetrics' Diagnostic report (version 0.32.0).
 *
 * Any thread.
 */
#ifndef RF_ENGINE_QUALITY_DIAGNOSTIC_H
#define RF_ENGINE_QUALITY_DIAGNOSTIC_H

#include "engine/quality/facing.h"
#include "engine/quality/quality.h"

/* What is known about a column beside its cells. */
typedef struct rfi_rules {
    bool key;
    const char *datetime_format;     /* NULL: it has none to adhere to                       */
    const char *regex;               /* the same, for an id                                  */
    const rf_metadata_column *given; /* ranges that replace the real column's own, or NULL    */
} rfi_rules;

/* Fills validity, format_validity, their metrics and problems. */
rf_code rfi_diagnose(rf_quality_column *out, const rfi_facing *face, const rfi_rules *rules,
                     const rf_table *synthetic, rf_error *err) RF_MUST_CHECK;

/* TableStructure: pairs of (column name, physical type) that both tables have, over those that either
 * has. Ignored columns do not count. */
rf_code rfi_structure(double *out, const rf_table *real, const rf_table *synthetic,
                      rf_error *err) RF_MUST_CHECK;

#endif
