#include "api/openapi.h"

#include <string.h>

#include "api/json_text.h"
#include "api/server_internal.h"

static const char error_schema[] =
    "{\"type\":\"object\",\"required\":[\"success\",\"error\",\"timestamp\"],\"additionalProperties\":false,"
    "\"properties\":{\"success\":{\"const\":false},\"error\":{\"type\":\"object\",\"required\":[\"code\","
    "\"message\","
    "\"details\"],\"additionalProperties\":false,\"properties\":{\"code\":{\"type\":\"string\",\"enum\":[%s]}"
    ","
    "\"message\":{\"type\":\"string\"},\"details\":{\"type\":\"object\",\"description\":\"Each wrong field "
    "and why.\"}}},"
    "\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"}}}";

static const char introduction[] = "Synthetic tabular data: upload a table, train a model of it, download a "
                                   "table with the same shape and nobody's rows.\\n\\n"
                                   "Every JSON reply is an envelope: `success`, then `data` and `message`, "
                                   "or `error` with `code`, `message` and `details`. "
                                   "Lists are newest first; `next_cursor` is the `cursor` of the next page. "
                                   "`X-Request-Id` is accepted and echoed. "
                                   "Objects of other people are answered with 404.";

/* ---- replies ---------------------------------------------------------------------------------- */

static void put_envelope(const rf_server *server, const rfi_route *route, rf_buf *out)
{
    rf_buf_puts(out, "{\"type\":\"object\",\"required\":[\"success\",\"data\",\"message\",\"timestamp\"],"
                     "\"additionalProperties\":false,\"properties\":{\"success\":{\"const\":true},\"data\":");
    if (route->reply)
        rfi_schema_json(route->reply, &server->bounds, false, out);
    else
        rf_buf_puts(out, "{\"type\":\"null\"}");
    rf_buf_puts(
        out,
        ",\"message\":{\"type\":\"string\"},\"timestamp\":{\"type\":\"string\",\"format\":\"date-time\"}}}");
}

static void put_other_types(const rfi_route *route, rf_buf *out)
{
    for (const char *at = route->other_types; at && *at;) {
        const size_t length = strcspn(at, ",");
        rfi_json_text_n(out, at, length);
        rf_buf_puts(out, ":{\"schema\":{}}");
        at += length;
        at += strspn(at, ", ");
    }
}

static void put_success(const rf_server *server, const rfi_route *route, rf_buf *out)
{
    rfi_json_key(out, route->status == 202 ? "202" : route->status == 201 ? "201" : "200");
    rfi_json_open(out, '{');
    rfi_json_put_text(out, "description", route->summary);
    rfi_json_key(out, "content");
    rfi_json_open(out, '{');
    if (route->is_raw_json)
        rf_buf_puts(out, "\"application/json\":{\"schema\":{\"type\":\"object\"}}");
    else if (route->reply || !route->other_types) {
        rf_buf_puts(out, "\"application/json\":{\"schema\":");
        put_envelope(server, route, out);
        rf_buf_puts(out, "}");
    }
    put_other_types(route, out);
    rfi_json_close(out, '}');
    rfi_json_close(out, '}');
}

/* Several failures may share a status; the description names their codes. */
static void put_failures(const rfi_route *route, rf_buf *out)
{
    const unsigned set = rfi_route_failures(route);
    for (int i = 0; i < RFI_FAILURE_COUNT; i++) {
        const int status = rfi_failure_status((rfi_failure)i);
        bool first = (set & (1u << i)) != 0;
        for (int j = 0; j < i && first; j++)
            first = !((set & (1u << j)) && rfi_failure_status((rfi_failure)j) == status);
        if (!first)
            continue;
        char key[8];
        snprintf(key, sizeof key, "%d", status);
        rfi_json_key(out, key);
        rf_buf_puts(out, "{\"description\":\"");
        for (int j = i; j < RFI_FAILURE_COUNT; j++)
            if ((set & (1u << j)) && rfi_failure_status((rfi_failure)j) == status)
                rf_buf_printf(out, "%s`%s`: %s", j > i ? " " : "", rfi_failure_name((rfi_failure)j),
                              rfi_failure_summary((rfi_failure)j));
        rf_buf_puts(out, "\"");
        if (status == 429 || status == 503)
            rf_buf_puts(out,
                        ",\"headers\":{\"Retry-After\":{\"description\":\"seconds\",\"schema\":{\"type\":"
                        "\"integer\",\"minimum\":0}}}");
        rf_buf_puts(
            out,
            ",\"content\":{\"application/json\":{\"schema\":{\"$ref\":\"#/components/schemas/Error\"}}}}");
    }
}

/* ---- requests --------------------------------------------------------------------------------- */

static void put_parameter(const char *name, const char *where, const char *help, bool required, rf_buf *out)
{
    rfi_json_open(out, '{');
    rfi_json_put_text(out, "name", name);
    rfi_json_put_text(out, "in", where);
    if (help)
        rfi_json_put_text(out, "description", help);
    if (required)
        rfi_json_put_flag(out, "required", true);
    rfi_json_key(out, "schema");
}

static void put_path_parameters(const rfi_route *route, rf_buf *out)
{
    for (const char *at = strchr(route->path, '{'); at; at = strchr(at + 1, '{')) {
        char name[32];
        const size_t length = strcspn(at + 1, "}");
        snprintf(name, sizeof name, "%.*s", (int)length, at + 1);
        put_parameter(name, "path", NULL, true, out);
        rf_buf_puts(out, strcmp(name, "id") == 0
                             ? "{\"type\":\"integer\",\"minimum\":1,\"maximum\":999999999999999999}}"
                             : "{\"type\":\"string\",\"minLength\":1}}");
    }
}

static void put_parameters(const rf_server *server, const rfi_route *route, rf_buf *out)
{
    rfi_json_key(out, "parameters");
    rfi_json_open(out, '[');
    put_path_parameters(route, out);
    for (const rfi_query *row = route->query; row && row->name; row++) {
        put_parameter(row->name, "query", row->help, false, out);
        rfi_schema_json(row->schema, &server->bounds, false, out);
        rfi_json_close(out, '}');
    }
    if (route->idempotent) {
        put_parameter(
            "Idempotency-Key", "header",
            "The same key and body gives the first reply again; with another body it is a conflict.", false,
            out);
        rf_buf_puts(out, "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}");
    }
    rfi_json_close(out, ']');
}

static void put_request(const rf_server *server, const rfi_route *route, rf_buf *out)
{
    if (route->body == RFI_BODY_NONE)
        return;
    rfi_json_key(out, "requestBody");
    rfi_json_open(out, '{');
    rfi_json_put_flag(out, "required", !route->body_optional);
    rf_buf_puts(out, ",\"content\":{");
    if (route->body == RFI_BODY_MULTIPART)
        rf_buf_puts(out,
                    "\"multipart/form-data\":{\"schema\":{\"type\":\"object\",\"required\":[\"file\"],"
                    "\"additionalProperties\":false,\"properties\":{\"file\":{\"type\":\"string\","
                    "\"contentMediaType\":\"application/octet-stream\",\"description\":\"the table\"}}}}");
    else {
        rf_buf_puts(out, "\"application/json\":{\"schema\":");
        rfi_schema_json(route->request, &server->bounds, false, out);
        if (route->request->example)
            rf_buf_printf(out, ",\"example\":%s", route->request->example);
        rf_buf_puts(out, "}");
    }
    rf_buf_puts(out, "}}");
}

/* ---- operations ------------------------------------------------------------------------------- */

static void put_operation(const rf_server *server, const rfi_route *route, rf_buf *out)
{
    static const char *const keys[RFI_METHOD_COUNT] = {"get", "post", "put", "delete"};
    rfi_json_key(out, keys[route->method]);
    rfi_json_open(out, '{');
    rfi_json_put_text(out, "operationId", route->name);
    rfi_json_key(out, "tags");
    rfi_json_open(out, '[');
    rfi_json_text(out, route->tag);
    rfi_json_close(out, ']');
    rfi_json_put_text(out, "summary", route->summary);
    if (route->notes)
        rfi_json_put_text(out, "description", route->notes);
    if (route->role != RFI_ROLE_ANYONE) {
        rfi_json_put_raw(out, "security", "[{\"bearer\":[]}]");
        rfi_json_put_text(out, "x-role", route->role == RFI_ROLE_ADMIN ? "admin" : "user");
    } else
        rfi_json_put_raw(out, "security", "[]");
    put_parameters(server, route, out);
    put_request(server, route, out);
    rfi_json_key(out, "responses");
    rfi_json_open(out, '{');
    put_success(server, route, out);
    put_failures(route, out);
    rfi_json_close(out, '}');
    rfi_json_close(out, '}');
}

static bool is_first_of_path(const rfi_routes *routes, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(routes->rows[j].path, routes->rows[i].path) == 0)
            return false;
    return true;
}

static void put_paths(const rf_server *server, rf_buf *out)
{
    const rfi_routes *routes = &server->routes;
    rfi_json_key(out, "paths");
    rfi_json_open(out, '{');
    for (size_t i = 0; i < routes->n; i++) {
        if (!is_first_of_path(routes, i))
            continue;
        rfi_json_key(out, routes->rows[i].path);
        rfi_json_open(out, '{');
        for (size_t j = i; j < routes->n; j++)
            if (strcmp(routes->rows[j].path, routes->rows[i].path) == 0)
                put_operation(server, &routes->rows[j], out);
        rfi_json_close(out, '}');
    }
    rfi_json_close(out, '}');
}

/* ---- components ------------------------------------------------------------------------------- */

enum { COMPONENTS_MAX = 128 };

typedef struct components {
    const rfi_schema *list[COMPONENTS_MAX];
    int n;
} components;

static void note_component(void *arg, const rfi_schema *schema)
{
    components *c = arg;
    for (int i = 0; i < c->n; i++)
        if (c->list[i] == schema)
            return;
    if (c->n < COMPONENTS_MAX)
        c->list[c->n++] = schema;
}

static void put_error_schema(rf_buf *out)
{
    rf_buf names;
    rf_buf_init(&names);
    for (int i = 0; i < RFI_FAILURE_COUNT; i++)
        rfi_json_text(&names, rfi_failure_name((rfi_failure)i));
    rfi_json_key(out, "Error");
    rf_buf_printf(out, error_schema, names.data ? names.data : "");
    rf_buf_free(&names);
}

static void put_components(const rf_server *server, rf_buf *out)
{
    components c = {.n = 0};
    for (size_t i = 0; i < server->routes.n; i++) {
        rfi_schema_walk(server->routes.rows[i].request, note_component, &c);
        rfi_schema_walk(server->routes.rows[i].reply, note_component, &c);
    }
    rfi_json_key(out, "components");
    rfi_json_open(out, '{');
    rfi_json_put_raw(out, "securitySchemes",
                     "{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"bearerFormat\":\"JWT\"}}");
    rfi_json_key(out, "schemas");
    rfi_json_open(out, '{');
    put_error_schema(out);
    for (int i = 0; i < c.n; i++) {
        rfi_json_key(out, c.list[i]->name);
        rfi_schema_json(c.list[i], &server->bounds, true, out);
    }
    rfi_json_close(out, '}');
    rfi_json_close(out, '}');
}

rf_code rfi_openapi_make(const rf_server *server, rfi_document *out, rf_error *err)
{
    rf_buf text;
    rf_buf_init(&text);
    rf_buf_puts(&text, "{\"openapi\":\"3.1.0\",\"info\":{");
    rfi_json_put_text(&text, "title", server->set->app_name);
    rfi_json_put_text(&text, "version", RF_VERSION);
    rf_buf_printf(&text, ",\"description\":\"%s\",\"license\":{\"name\":\"MIT\"}}", introduction);
    rfi_json_put_raw(&text, "servers", "[{\"url\":\"/\"}]");
    put_paths(server, &text);
    put_components(server, &text);
    rf_buf_puts(&text, "}");
    const rf_code rc = rfi_document_make(out, &text, err);
    rf_buf_free(&text);
    return rc;
}
