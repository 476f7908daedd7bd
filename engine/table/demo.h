/* demo.h - a table to try things on: customers of a shop who never existed.
 *
 * Sixteen columns with what real tables have and reports should show: an id, dates, a skewed amount, one
 * with many zeros, cities that follow from regions, jobs from schooling and incomes from jobs, rare
 * categories, and cells that are missing for a reason that stands in other columns. Every value is a
 * function of (seed, row, column) in exact arithmetic: the same bytes on any machine, and the first rows
 * of a long table are those of a short one.
 */
#ifndef RF_ENGINE_TABLE_DEMO_H
#define RF_ENGINE_TABLE_DEMO_H

#include "engine/table/table.h"

/* n_rows is 0 to 2,000,000,000 (USAGE). Freed with rf_table_free. */
rf_code rf_demo_table(rf_table **out, int64_t n_rows, uint64_t seed, rf_error *err) RF_MUST_CHECK;

#endif
