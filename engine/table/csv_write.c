/* Writing a table to a file, or into memory. */
#include <string.h>

#include "core/alloc.h"
#include "core/file.h"
#include "engine/table/csv_format.h"
#include "engine/table/table_private.h"

struct rf_table_writer {
    rf_file_writer *file; /* NULL: the bytes go to `sink` */
    rf_text_fn sink;
    void *arg;
    rfi_formatter *formatter;
    rf_pool *pool;
};

static rf_code to_file(void *arg, const void *data, size_t size_bytes, rf_error *err)
{
    return rf_file_write(arg, data, size_bytes, err);
}

static rf_code to_buffer(void *arg, const void *data, size_t size_bytes, rf_error *err)
{
    rf_buf_append(arg, data, size_bytes);
    return rf_buf_check(arg, "a table as text", err);
}

static char delimiter_of(const char *path, const char *format)
{
    const char *name;
    const rfi_format found = rfi_format_find(path, format, &name);
    return found == RFI_FORMAT_TSV || found == RFI_FORMAT_TXT ? '\t' : 0;
}

rf_code rf_table_writer_open(rf_table_writer **out, const char *path, const rf_schema *schema,
                             const rf_write_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_writer *writer = NULL;
    rf_buf header;
    rf_buf_init(&header);
    const char *format = options ? options->format : NULL;
    *out = NULL;
    RF_TRY(rf_table_format_check(path, format, true, err));
    RF_TRY(RF_NEW_ARRAY(&writer, 1, "a writer", err));
    writer->pool = options ? options->pool : NULL;
    RF_TRY(rfi_formatter_open(&writer->formatter, schema, delimiter_of(path, format), err));
    RF_TRY(rf_file_writer_open(&writer->file, path, err));
    rfi_formatter_header(writer->formatter, &header);
    RF_TRY(rf_buf_check(&header, "the header", err));
    if (header.size_bytes)
        RF_TRY(rf_file_write(writer->file, header.data, header.size_bytes, err));
    *out = writer;
    writer = NULL;
out:
    rf_buf_free(&header);
    rf_table_writer_close(writer);
    return rc;
}

rf_code rf_table_writer_open_to(rf_table_writer **out, rf_text_fn sink, void *arg, const rf_schema *schema,
                                const rf_write_options *options, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_table_writer *writer = NULL;
    rf_buf header;
    rf_buf_init(&header);
    const char *format = options && options->format ? options->format : "csv";
    *out = NULL;
    RF_TRY(rf_table_format_check("-", format, true, err));
    RF_TRY(RF_NEW_ARRAY(&writer, 1, "a writer", err));
    writer->pool = options ? options->pool : NULL;
    writer->sink = sink;
    writer->arg = arg;
    RF_TRY(rfi_formatter_open(&writer->formatter, schema, delimiter_of("-", format), err));
    rfi_formatter_header(writer->formatter, &header);
    RF_TRY(rf_buf_check(&header, "the header", err));
    if (header.size_bytes)
        RF_TRY(sink(arg, header.data, header.size_bytes, err));
    *out = writer;
    writer = NULL;
out:
    rf_buf_free(&header);
    rf_table_writer_close(writer);
    return rc;
}

rf_code rf_table_writer_append(rf_table_writer *writer, const rf_table *rows, rf_error *err)
{
    if (!writer->file)
        return rfi_formatter_rows(writer->formatter, rows, writer->pool, writer->sink, writer->arg, err);
    return rfi_formatter_rows(writer->formatter, rows, writer->pool, to_file, writer->file, err);
}

rf_code rf_table_writer_commit(rf_table_writer *writer, rf_error *err)
{
    return writer->file ? rf_file_writer_commit(writer->file, err) : RF_OK;
}

void rf_table_writer_close(rf_table_writer *writer)
{
    if (!writer)
        return;
    rf_file_writer_close(writer->file);
    rfi_formatter_close(writer->formatter);
    rf_free(writer);
}

rf_code rf_table_format(const rf_table *table, rf_buf *out, rf_error *err)
{
    rf_code rc = RF_OK;
    rfi_formatter *formatter = NULL;
    RF_TRY(rfi_formatter_open(&formatter, &table->schema, 0, err));
    rfi_formatter_header(formatter, out);
    RF_TRY(rf_buf_check(out, "a table as text", err));
    RF_TRY(rfi_formatter_rows(formatter, table, NULL, to_buffer, out, err));
out:
    rfi_formatter_close(formatter);
    return rc;
}
