/* What is checked before a body is read.
 *
 * The library's parser is lenient in places where two parsers in a row must agree, or a second request can be hidden in
 * the first (request smuggling): it takes Content-Length beside Transfer-Encoding, the first of several lengths, names
 * that are no tokens. Those requests are refused here and their connections closed, before anything acts on them.
 */
#include <string.h>

#include "api/form.h"
#include "api/names.h"
#include "api/reply.h"
#include "api/server_internal.h"
#include "core/clock.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

/* Below what the library has room for (CONNECTION_BYTES of server.c), whose own refusals have none of our headers. */
enum { TARGET_BYTES_MAX = 8 << 10, HEADERS_BYTES_MAX = 24 << 10, KEY_BYTES_MAX = 255 };

/* ---- headers ---------------------------------------------------------------------------------- */

typedef struct survey {
    int hosts, lengths, encodings;
    size_t bytes;
    const char *host, *length, *encoding;
    const char *wrong; /* the first thing that is wrong */
    const char *end;   /* of the header before, in the library's buffer; NULL: there was none */
    bool looks_behind;
} survey;

/* Version 0.9.75 of the library takes a NUL for the end of a header's value (or of the target), and what stood behind it is
 * lost to us but not to others who read the same bytes. In its buffer it is still there: between one value's end and the next
 * name stands only the zeroed line end, so anything more was hidden. Later versions refuse NULs themselves. */
static bool library_hides_nuls(void)
{
    return strcmp(MHD_get_version(), "0.9.75") == 0;
}

static bool hides_after_value(const char *end, const char *next)
{
    if (!next) /* the last one is followed by its own line end and the empty line's */
        return end[1] != 0;
    /* a folded line, which nobody needs, lies elsewhere */
    return next < end || next > end + 2 || (next == end + 2 && end[1] != 0);
}

static bool is_token(const char *text, size_t length)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < length; i++) {
        const char c = text[i];
        const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric && (c == 0 || !strchr(others, c)))
            return false;
    }
    return length > 0;
}

static bool is_clean_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (((unsigned char)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7F)
            return false;
    return true;
}

static enum MHD_Result look_at_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                      size_t name_length, const char *value, size_t value_length)
{
    survey *s = arg;
    (void)kind;
    if (s->end && s->looks_behind && hides_after_value(s->end, name))
        s->wrong = "a header's value has a byte that must not be there";
    s->end = value ? value + value_length : NULL;
    if (!value)
        value = "", value_length = 0;
    s->bytes += name_length + value_length + 4; /* ": " and the line's end */
    if (s->wrong)
        return MHD_NO;
    if (!is_token(name, name_length))
        s->wrong = "a header's name is not one";
    else if (!is_clean_value(value, value_length))
        s->wrong = "a header's value has control characters";
    else if (strcasecmp(name, "Host") == 0)
        s->hosts++, s->host = value;
    else if (strcasecmp(name, "Content-Length") == 0)
        s->lengths++, s->length = value;
    else if (strcasecmp(name, "Transfer-Encoding") == 0)
        s->encodings++, s->encoding = value;
    return s->wrong ? MHD_NO : MHD_YES;
}

/* Digits only: the library's reading of "+3" or "3, 3" must not matter. */
static bool read_length(const char *text, int64_t *out)
{
    int64_t value = 0;
    if (!*text || strlen(text) > 18)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        value = value * 10 + (*text - '0');
    }
    *out = value;
    return true;
}

/* The target is followed by blanks and the version. */
static bool hides_bytes(const rfi_call *call, const char *version)
{
    const char *end = call->line + call->line_bytes;
    if (!version || version < end || version > end + 65536)
        return false;
    for (; end < version; end++)
        if (*end != 0 && *end != ' ' && *end != '\t')
            return true;
    return false;
}

/* Temporary addresses are made of it. */
static bool is_host(const char *text)
{
    return text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]")] == 0;
}

static const char *find_wrong(rfi_call *call, const char *version, survey *s)
{
    MHD_get_connection_values_n(call->connection, MHD_HEADER_KIND, look_at_header, s);
    if (!s->wrong && s->end && s->looks_behind && hides_after_value(s->end, NULL))
        return "a header's value has a byte that must not be there";
    if (s->wrong)
        return s->wrong;
    if (!version || strncmp(version, "HTTP/1.", 7) != 0)
        return "only HTTP/1.0 and 1.1 are spoken here";
    if (s->looks_behind && hides_bytes(call, version))
        return "the request line has a byte that must not be there";
    if (s->hosts != 1 || !*s->host)
        return "there must be one Host header";
    if (!is_host(s->host))
        return "the Host header is not a host";
    if (s->lengths > 1 || s->encodings > 1 || (s->lengths && s->encodings))
        return "the length of the body is given twice";
    if (s->encodings && strcasecmp(s->encoding, "chunked") != 0)
        return "the only transfer encoding is chunked";
    if (s->lengths && !read_length(s->length, &call->content_length))
        return "Content-Length is not a number";
    return NULL;
}

/* ---- request id ------------------------------------------------------------------------------- */

static void choose_request_id(rfi_call *call)
{
    const char *given = rfi_header(call, "X-Request-Id");
    const size_t length = given ? strlen(given) : 0;
    if (length > 0 && length < RFI_REQUEST_ID_BYTES &&
        strspn(given, "0123456789abcdefghijklmnopqrstuvwxyz"
                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") == length) {
        memcpy(call->request_id, given, length + 1);
        return;
    }
    uint64_t random[2] = {0};
    if (rf_random_bytes(random, sizeof random, NULL) != RF_OK)
        random[0] = (uint64_t)(uintptr_t)call ^ (uint64_t)(call->started_s * 1e6);
    rf_hex_encode(call->request_id, random, sizeof random);
}

/* ---- method and route ------------------------------------------------------------------------- */

static int find_method(const char *text)
{
    for (int m = 0; m < RFI_METHOD_COUNT; m++)
        if (strcmp(rfi_method_name((rfi_method)m), text) == 0)
            return m;
    return strcmp(text, "HEAD") == 0 ? RFI_GET : -1;
}

static void put_allow(rfi_call *call, unsigned methods)
{
    char text[64] = "OPTIONS";
    for (int m = 0; m < RFI_METHOD_COUNT; m++)
        if (methods & (1u << m)) {
            strncat(text, ", ", sizeof text - strlen(text) - 1);
            strncat(text, rfi_method_name((rfi_method)m), sizeof text - strlen(text) - 1);
            if (m == RFI_GET)
                strncat(text, ", HEAD", sizeof text - strlen(text) - 1);
        }
    rfi_reply_header(call, "Allow", rfi_call_text(call, "%s", text));
}

/* OPTIONS tells what the path has; a browser that asks before it sends (CORS) also gets what send.c adds. */
static bool answer_options(rfi_call *call)
{
    if (call->match.methods == 0) {
        rfi_reply_failure(call, RFI_NOT_FOUND, "there is nothing under this path", NULL);
        return false;
    }
    put_allow(call, call->match.methods);
    if (rfi_header(call, "Access-Control-Request-Method")) {
        rfi_reply_header(call, "Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
        rfi_reply_header(
            call, "Access-Control-Allow-Headers",
            "Authorization, Content-Type, Idempotency-Key, If-None-Match, If-Range, Last-Event-ID, "
            "Range, X-Request-Id");
        rfi_reply_header(call, "Access-Control-Max-Age", "600");
    }
    call->reply.kind = RFI_REPLY_TEXT;
    call->reply.status = 204;
    return false;
}

static bool find_route(rfi_call *call)
{
    const int method = find_method(call->method_text);
    call->is_head = strcmp(call->method_text, "HEAD") == 0;
    rfi_route_find(&call->server->routes, method < 0 ? RFI_METHOD_COUNT : (rfi_method)method, call->path,
                   &call->match);
    call->route = call->match.route;
    if (strcmp(call->method_text, "OPTIONS") == 0)
        return answer_options(call);
    if (call->route)
        return true;
    if (call->match.methods == 0) {
        rfi_reply_failure(call, RFI_NOT_FOUND, "there is nothing under this path", NULL);
        return false;
    }
    put_allow(call, call->match.methods);
    rfi_reply_failure(call, RFI_METHOD_NOT_ALLOWED, "this path does not have that method", NULL);
    return false;
}

/* ---- who, how often, how much ----------------------------------------------------------------- */

static bool check_role(rfi_call *call)
{
    rf_error err = {0};
    if (call->route->role == RFI_ROLE_ANYONE)
        return true;
    if (rfi_authenticate(call, &err) != RF_OK) {
        if (rfi_header(call, "Authorization"))
            rfi_log_security(call, "a token was refused");
        rfi_reply_error(call, &err);
        return false;
    }
    if (call->route->role == RFI_ROLE_ADMIN && !call->who.is_admin) {
        rfi_log_security(call, "an administrator's route was refused");
        rfi_reply_failure(call, RFI_FORBIDDEN, "this needs the role of an administrator", NULL);
        return false;
    }
    return true;
}

static bool check_rate(rfi_call *call)
{
    char user[24];
    const rfi_rate rate = call->route->rate;
    if (rate == RFI_RATE_NONE)
        return true;
    snprintf(user, sizeof user, "%lld", (long long)call->who.user_id);
    const bool by_user = rfi_rate_counts_for(rate) == RFI_RATE_USER;
    const char *whom = by_user || !call->peer ? user : call->peer->address;
    call->retry_after_s = rfi_rates_take(call->server->rates, rate, whom, rf_clock_s());
    if (call->retry_after_s == 0)
        return true;
    rfi_reply_failure(call, RFI_RATE_LIMITED, "too many requests in a short time", NULL);
    return false;
}

static bool type_is(const char *header, const char *wanted)
{
    const size_t length = strlen(wanted);
    return header && strncasecmp(header, wanted, length) == 0 &&
           (header[length] == 0 || header[length] == ';' || header[length] == ' ');
}

static bool check_type(rfi_call *call)
{
    const char *type = rfi_header(call, "Content-Type");
    const char *encoding = rfi_header(call, "Content-Encoding");
    if (encoding && strcasecmp(encoding, "identity") != 0) {
        rfi_reply_failure(call, RFI_UNSUPPORTED_TYPE, "compressed bodies are not read; send it plain", NULL);
        return false;
    }
    if (call->route->body == RFI_BODY_JSON && call->has_body && !type_is(type, "application/json")) {
        rfi_reply_failure(call, RFI_UNSUPPORTED_TYPE, "the body must be application/json", NULL);
        return false;
    }
    if (call->route->body == RFI_BODY_MULTIPART && !type_is(type, "multipart/form-data")) {
        rfi_reply_failure(call, RFI_UNSUPPORTED_TYPE,
                          "the body must be multipart/form-data with a field 'file'", NULL);
        return false;
    }
    return true;
}

static bool check_length(rfi_call *call)
{
    const size_t limit = rfi_body_limit(call);
    if (call->content_length < 0 || (uint64_t)call->content_length <= limit)
        return true;
    const char *message = call->route->body == RFI_BODY_MULTIPART
                              ? rfi_call_text(call, "the file is too large: at most %lld MB are taken here",
                                              (long long)call->server->set->max_file_mb)
                              : rfi_call_text(call, "the body may have at most %zu bytes here", limit);
    rfi_reply_failure(call, RFI_TOO_LARGE, message, NULL);
    return false;
}

static bool check_idempotency_key(rfi_call *call)
{
    const char *key = rfi_header(call, "Idempotency-Key");
    if (!key || !call->route->idempotent)
        return true;
    const size_t length = strlen(key);
    if (length == 0 || length > KEY_BYTES_MAX) {
        rfi_reply_failure(call, RFI_VALIDATION_ERROR, "the idempotency key is empty or too long",
                          "{\"Idempotency-Key\":\"must have 1 to 255 characters\"}");
        return false;
    }
    call->idempotency_key = rf_arena_string(&call->arena, key, length);
    return call->idempotency_key != NULL;
}

/* What fits into the library's memory and is still more than anybody needs. */
static bool check_sizes(rfi_call *call, const survey *s)
{
    if (call->line_bytes <= TARGET_BYTES_MAX && s->bytes <= HEADERS_BYTES_MAX)
        return true;
    const bool target = call->line_bytes > TARGET_BYTES_MAX;
    rfi_reply_failure(call, RFI_TOO_LARGE,
                      rfi_call_text(call,
                                    target ? "the target of a request may have at most %d bytes"
                                           : "the headers of a request may have at most %d bytes",
                                    target ? TARGET_BYTES_MAX : HEADERS_BYTES_MAX),
                      NULL);
    call->reply.status = target ? 414 : 431;
    call->reply.close = true;
    return false;
}

static bool check_query(rfi_call *call)
{
    rf_error err = {0};
    rf_buf faults;
    int n_faults;
    rf_buf_init(&faults);
    const rf_code rc = rfi_query_read(call, &faults, &n_faults, &err);
    if (rc != RF_OK)
        rfi_reply_error(call, &err);
    else if (n_faults > 0)
        rfi_reply_failure(call, RFI_VALIDATION_ERROR, "parameters of the query do not fit", faults.data);
    rf_buf_free(&faults);
    return rc == RF_OK && n_faults == 0;
}

static bool open_form(rfi_call *call)
{
    rf_error err = {0};
    if (call->route->body != RFI_BODY_MULTIPART)
        return true;
    if (rfi_form_open(&call->form, rfi_header(call, "Content-Type"), call, &err) == RF_OK)
        return true;
    rfi_reply_error(call, &err);
    return false;
}

/* ---- the order of it -------------------------------------------------------------------------- */

bool rfi_admit(rfi_call *call, const char *version)
{
    survey s = {.looks_behind = library_hides_nuls()};
    rf_error err = {0};
    choose_request_id(call);
    const char *wrong = find_wrong(call, version, &s);
    if (!wrong && !check_sizes(call, &s))
        return false;
    if (!wrong && rfi_target_read(call, &err) != RF_OK) {
        rfi_reply_error(call, &err);
        call->reply.close = true;
        return false;
    }
    if (!wrong && !rfi_names_have_host(&call->server->set->allowed_hosts, s.host))
        wrong = "this server does not answer to that Host";
    if (wrong) {
        rfi_reply_failure(call, RFI_MALFORMED, rfi_call_text(call, "%s", wrong), NULL);
        call->reply.close = true;
        return false;
    }
    call->has_body = s.encodings > 0 || call->content_length > 0;
    return find_route(call) && check_role(call) && check_rate(call) && check_length(call) &&
           check_type(call) && check_idempotency_key(call) && check_query(call) && open_form(call);
}
