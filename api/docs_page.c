/* The plain page of /docs: every endpoint with its parameters, bodies and failures. No script; its styles stand in the page,
 * which the page's policy allows. */
#include <string.h>

#include "api/openapi.h"
#include "api/server_internal.h"

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;color:#222;background:#fff}"
    "h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid #ccc;text-transform:capitalize}"
    "summary{cursor:pointer;padding:.35rem .5rem;border-radius:4px}summary:hover{background:#f2f4f7}"
    "code,pre{font:13px/1.45 "
    "ui-monospace,monospace}pre{background:#f6f8fa;padding:.75rem;overflow:auto;border-radius:4px}"
    "b{display:inline-block;min-width:4.5rem;font-weight:600}table{border-collapse:collapse}"
    "td,th{padding:.15rem .75rem .15rem 0;text-align:left;vertical-align:top}details>div{margin:.25rem 0 "
    "1rem 1.2rem}"
    "small{color:#666}@media(prefers-color-scheme:dark){body{color:#ddd;background:#16181c}pre{background:#"
    "22262c}"
    "summary:hover{background:#22262c}small{color:#999}a{color:#8ab4f8}}";

static void put_text(rf_buf *out, const char *text)
{
    for (; text && *text; text++)
        switch (*text) {
        case '<':
            rf_buf_puts(out, "&lt;");
            break;
        case '>':
            rf_buf_puts(out, "&gt;");
            break;
        case '&':
            rf_buf_puts(out, "&amp;");
            break;
        case '"':
            rf_buf_puts(out, "&quot;");
            break;
        default:
            rf_buf_append(out, text, 1);
        }
}

static void put_schema(const rf_server *server, const char *title, const rfi_schema *schema, rf_buf *out)
{
    rf_buf compact;
    json_t *json;
    if (!schema)
        return;
    rf_buf_init(&compact);
    rfi_schema_json(schema, &server->bounds, true, &compact);
    json = compact.failed ? NULL : json_loadb(compact.data, compact.size_bytes, 0, NULL);
    char *pretty = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    rf_buf_printf(out, "<p>%s</p><pre>", title);
    put_text(out, pretty);
    rf_buf_puts(out, "</pre>");
    free(pretty);
    json_decref(json);
    rf_buf_free(&compact);
}

static void put_route(const rf_server *server, const rfi_route *route, rf_buf *out)
{
    static const char *const roles[] = {"administrators", "users", "anyone"};
    rf_buf_printf(out, "<details id=\"%s\"><summary><b>%s</b><code>", route->name,
                  rfi_method_name(route->method));
    put_text(out, route->path);
    rf_buf_puts(out, "</code> ");
    put_text(out, route->summary);
    rf_buf_printf(out, "</summary><div><small>for %s</small>", roles[route->role]);
    if (route->notes) {
        rf_buf_puts(out, "<p>");
        put_text(out, route->notes);
        rf_buf_puts(out, "</p>");
    }
    if (route->query) {
        rf_buf_puts(out, "<p>Query</p><table>");
        for (const rfi_query *row = route->query; row->name; row++) {
            rf_buf_printf(out, "<tr><td><code>%s</code></td><td>", row->name);
            put_text(out, row->help);
            rf_buf_puts(out, "</td></tr>");
        }
        rf_buf_puts(out, "</table>");
    }
    put_schema(server, "Body", route->request, out);
    put_schema(server, "Reply (<code>data</code>)", route->reply, out);
    rf_buf_puts(out, "<p>Failures</p><table>");
    for (int i = 0; i < RFI_FAILURE_COUNT; i++)
        if (rfi_route_failures(route) & (1u << i)) {
            rf_buf_printf(out, "<tr><td>%d</td><td><code>%s</code></td><td>",
                          rfi_failure_status((rfi_failure)i), rfi_failure_name((rfi_failure)i));
            put_text(out, rfi_failure_summary((rfi_failure)i));
            rf_buf_puts(out, "</td></tr>");
        }
    rf_buf_puts(out, "</table></div></details>");
}

static bool tag_is_new(const rfi_routes *routes, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (strcmp(routes->rows[j].tag, routes->rows[i].tag) == 0)
            return false;
    return true;
}

rf_code rfi_docs_make(const rf_server *server, rfi_document *out, rf_error *err)
{
    const rfi_routes *routes = &server->routes;
    rf_buf text;
    rf_buf_init(&text);
    rf_buf_puts(&text,
                "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
                "content=\"width=device-width\"><title>");
    put_text(&text, server->set->app_name);
    rf_buf_printf(&text, "</title><style>%s</style></head><body><h1>", style);
    put_text(&text, server->set->app_name);
    rf_buf_puts(&text, " " RF_VERSION "</h1><p>The HTTP interface. For programs: "
                       "<a href=\"/openapi.json\">openapi.json</a>.</p>");
    for (size_t i = 0; i < routes->n; i++) {
        if (!tag_is_new(routes, i))
            continue;
        rf_buf_printf(&text, "<h2>%s</h2>", routes->rows[i].tag);
        for (size_t j = i; j < routes->n; j++)
            if (strcmp(routes->rows[j].tag, routes->rows[i].tag) == 0)
                put_route(server, &routes->rows[j], &text);
    }
    rf_buf_puts(&text, "</body></html>\n");
    const rf_code rc = rfi_document_make(out, &text, err);
    rf_buf_free(&text);
    return rc;
}
