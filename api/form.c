/* The body is   --B CRLF headers CRLF CRLF bytes CRLF --B-- anything
 * with B the boundary. Bytes of the file may hold everything but CRLF--B, so a tail as long as that is kept back until
 * more is there. The parser is a small machine over a window: whatever the pieces, the same happens.
 *
 *     START ──first boundary──► AFTER ──CRLF──► HEADERS ──blank line──► DATA ──CRLF--B──► AFTER ──"--"──► END
 */
#include "api/form.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/call.h"
#include "core/alloc.h"
#include "core/buf.h"

enum { BOUNDARY_MAX = 70, HEADERS_MAX_BYTES = 8192, BLOCK_BYTES = 64 << 10 };

typedef enum phase { START, AFTER, HEADERS, DATA, END } phase;

struct rfi_form {
    phase phase;
    char boundary[BOUNDARY_MAX + 5]; /* CRLF--B */
    size_t boundary_length;
    rf_buf window; /* bytes not yet understood */
    int n_files;
    rfi_call *call;
    const rfi_sink *sink;
};

/* ---- opening ---------------------------------------------------------------------------------- */

/* boundary=token or boundary="text", somewhere behind a semicolon. */
static bool read_boundary(rfi_form *form, const char *type)
{
    const char *at = type ? strcasestr(type, "boundary=") : NULL;
    if (!at || at == type || !strchr("; \t", at[-1]))
        return false;
    at += strlen("boundary=");
    const bool quoted = *at == '"';
    at += quoted;
    const size_t length = strcspn(at, quoted ? "\"" : "; \t");
    if (length == 0 || length > BOUNDARY_MAX || (quoted && at[length] != '"'))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)at[i] < 0x20 || (unsigned char)at[i] > 0x7E)
            return false;
    form->boundary_length =
        (size_t)snprintf(form->boundary, sizeof form->boundary, "\r\n--%.*s", (int)length, at);
    return true;
}

rf_code rfi_form_open(rfi_form **out, const char *content_type, rfi_call *call, rf_error *err)
{
    rfi_form *form = rf_malloc(sizeof *form);
    if (!form)
        return rf_fail(err, RF_NO_MEMORY, "there is no memory for an upload now");
    *form = (rfi_form){.call = call, .sink = call->route->sink};
    rf_buf_init(&form->window);
    if (!read_boundary(form, content_type)) {
        rf_free(form);
        return rf_fail(err, RF_MALFORMED, "the content type of the form names no boundary");
    }
    rf_buf_puts(&form->window, "\r\n"); /* the first boundary has no line end before it */
    *out = form;
    return RF_OK;
}

void rfi_form_free(rfi_form *form)
{
    if (!form)
        return;
    rf_buf_free(&form->window);
    rf_free(form);
}

/* ---- the headers of a part -------------------------------------------------------------------- */

/* The value of name="…" in a Content-Disposition; backslash escapes a quote. */
static bool read_parameter(char *out, size_t size, const char *line, const char *name)
{
    const size_t name_length = strlen(name);
    const char *at = line;
    while ((at = strcasestr(at, name)) && !(strchr("; \t", at[-1]) && at[name_length] == '='))
        at += name_length;
    if (!at)
        return false;
    at += name_length + 1;
    const bool quoted = *at == '"';
    size_t n = 0;
    for (at += quoted; *at && *at != '"' && (quoted || !strchr("; \t", *at)); at++) {
        if (*at == '\\' && at[1] == '"')
            at++;
        if (n + 1 < size)
            out[n++] = *at;
    }
    out[n] = 0;
    return true;
}

static rf_code read_part_headers(rfi_form *form, char *headers, rf_error *err)
{
    char name[64] = "", file_name[RFI_FILE_NAME_BYTES] = "";
    bool is_file = false;
    for (char *line = headers, *next; line; line = next) {
        next = strstr(line, "\r\n");
        if (next) {
            *next = 0;
            next += 2;
        }
        if (strncasecmp(line, "Content-Disposition:", 20) != 0)
            continue;
        read_parameter(name, sizeof name, line, "name");
        is_file = read_parameter(file_name, sizeof file_name, line, "filename");
    }
    if (strcmp(name, "file") == 0 && !is_file) {
        rf_fail(err, RF_INPUT,
                "the field 'file' has no file name; send a file, as curl's -F file=@table.csv");
        rf_error_context(err, "file");
        return RF_INPUT;
    }
    if (strcmp(name, "file") != 0) {
        rf_fail(err, RF_INPUT,
                "the form has a part that is not known here; send one file as the field 'file'");
        rf_error_context(err, "%s", name[0] ? name : "file");
        return RF_INPUT;
    }
    if (form->n_files++ > 0) {
        rf_fail(err, RF_INPUT, "the form has more than one file");
        rf_error_context(err, "file");
        return RF_INPUT;
    }
    return form->sink->begin(form->call, file_name, err);
}

/* ---- the machine ------------------------------------------------------------------------------ */

static void consume(rfi_form *form, size_t n)
{
    memmove(form->window.data, form->window.data + n, form->window.size_bytes - n);
    form->window.size_bytes -= n;
}

static rf_code step_data(rfi_form *form, bool *moved, rf_error *err)
{
    rf_code rc = RF_OK;
    const rf_buf *w = &form->window;
    const char *found = memmem(w->data, w->size_bytes, form->boundary, form->boundary_length);
    const size_t kept = form->boundary_length - 1;
    const size_t n = found ? (size_t)(found - w->data) : w->size_bytes > kept ? w->size_bytes - kept : 0;
    if (n > 0)
        RF_TRY(form->sink->data(form->call, w->data, n, err));
    consume(form, found ? n + form->boundary_length : n);
    form->phase = found ? AFTER : DATA;
    *moved = found != NULL;
out:
    return rc;
}

/* "--" ends the form, a line end begins a part; blanks between are allowed. */
static rf_code step_after(rfi_form *form, bool *moved, rf_error *err)
{
    const rf_buf *w = &form->window;
    size_t blanks = 0;
    while (blanks < w->size_bytes && (w->data[blanks] == ' ' || w->data[blanks] == '\t'))
        blanks++;
    *moved = w->size_bytes >= blanks + 2;
    if (blanks > BOUNDARY_MAX)
        return rf_fail(err, RF_MALFORMED,
                       "the form cannot be read: a boundary is followed by too many blanks");
    if (!*moved)
        return RF_OK;
    if (blanks == 0 && memcmp(w->data, "--", 2) == 0)
        form->phase = END;
    else if (memcmp(w->data + blanks, "\r\n", 2) == 0)
        form->phase = HEADERS;
    else
        return rf_fail(err, RF_MALFORMED,
                       "the form cannot be read: a boundary is followed by something else");
    consume(form, blanks + 2);
    return RF_OK;
}

static rf_code step_headers(rfi_form *form, bool *moved, rf_error *err)
{
    rf_buf *w = &form->window;
    char *end = memmem(w->data, w->size_bytes, "\r\n\r\n", 4);
    if (w->size_bytes > 0 && memchr(w->data, 0, end ? (size_t)(end - w->data) : w->size_bytes))
        return rf_fail(err, RF_MALFORMED, "the form cannot be read: a header has a NUL");
    if ((end ? (size_t)(end - w->data) : w->size_bytes) > HEADERS_MAX_BYTES)
        return rf_fail(err, RF_MALFORMED, "the form cannot be read: its headers have no end");
    *moved = end != NULL;
    if (!end)
        return RF_OK;
    *end = 0;
    const rf_code rc = read_part_headers(form, w->data, err);
    consume(form, (size_t)(end - w->data) + 4);
    form->phase = DATA;
    return rc;
}

static rf_code step_start(rfi_form *form, bool *moved, rf_error *err)
{
    const rf_buf *w = &form->window;
    *moved = w->size_bytes >= form->boundary_length;
    const size_t n = *moved ? form->boundary_length : w->size_bytes;
    if (memcmp(w->data, form->boundary, n) != 0)
        return rf_fail(err, RF_MALFORMED, "the form cannot be read: it does not begin with its boundary");
    if (*moved) {
        consume(form, form->boundary_length);
        form->phase = AFTER;
    }
    return RF_OK;
}

static rf_code run(rfi_form *form, rf_error *err)
{
    rf_code rc = RF_OK;
    for (bool moved = true; moved && rc == RF_OK;) {
        switch (form->phase) {
        case START:
            rc = step_start(form, &moved, err);
            break;
        case AFTER:
            rc = step_after(form, &moved, err);
            break;
        case HEADERS:
            rc = step_headers(form, &moved, err);
            break;
        case DATA:
            rc = step_data(form, &moved, err);
            break;
        case END:
            rf_buf_clear(&form->window); /* what follows means nothing (RFC 2046) */
            moved = false;
            break;
        }
    }
    return rc;
}

rf_code rfi_form_feed(rfi_form *form, const char *data, size_t size_bytes, rf_error *err)
{
    rf_code rc = RF_OK;
    while (size_bytes > 0) {
        const size_t n = size_bytes < BLOCK_BYTES ? size_bytes : BLOCK_BYTES;
        rf_buf_append(&form->window, data, n);
        RF_TRY(rf_buf_check(&form->window, "an upload", err));
        RF_TRY(run(form, err));
        data += n;
        size_bytes -= n;
    }
out:
    return rc;
}

rf_code rfi_form_finish(rfi_form *form, rf_error *err)
{
    if (form->phase != END)
        return rf_fail(err, RF_MALFORMED, "the form ends before its last boundary");
    if (form->n_files == 1)
        return RF_OK;
    rf_fail(err, RF_INPUT, "the form has no file; send one as the field 'file'");
    rf_error_context(err, "file");
    return RF_INPUT;
}
