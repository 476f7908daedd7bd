/* html_sample.h - two small tables and an evaluation of them, made by hand, with names and texts that a page must not believe. */
#ifndef HTML_SAMPLE_H
#define HTML_SAMPLE_H

#include "core/buf.h"
#include "engine/quality/quality.h"

enum { HTML_ROWS = 600, HTML_COLUMNS = 10 };
enum {
    HTML_AGE,
    HTML_INCOME,
    HTML_GAIN,
    HTML_JOINED,
    HTML_CITY,
    HTML_MEMBER,
    HTML_HOSTILE,
    HTML_LONG,
    HTML_CONSTANT,
    HTML_KEY
};

extern const char html_hostile[]; /* the name of a column */
extern rf_field html_sample_fields[HTML_COLUMNS];

typedef struct html_sample {
    rf_table *real, *synthetic;
    rf_quality quality;
    rf_notes notes;
    rf_report_context context;
} html_sample;

void html_sample_open(html_sample *s);
void html_sample_close(html_sample *s);

/* The sample's page; buf is opened here and owns it. */
char *html_sample_page(html_sample *s, rf_buf *buf);

/* An empty table, and an evaluation of all columns and pairs of a schema. */
rf_table *html_sample_table(const rf_schema *schema, int64_t n_rows);
void html_sample_quality(rf_quality *quality, const rf_schema *schema);

#endif
