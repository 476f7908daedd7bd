/* The route table and the document that is made from it say the same, both ways. */
#include <jansson.h>

#include "api/openapi.h"
#include "api/server_internal.h"
#include "rf_test.h"

static json_t *document;

static const char *key_of(rfi_method method)
{
    static const char *const keys[RFI_METHOD_COUNT] = {"get", "post", "put", "delete"};
    return keys[method];
}

static json_t *operation_of(const rfi_route *route)
{
    return json_object_get(json_object_get(json_object_get(document, "paths"), route->path),
                           key_of(route->method));
}

static int open_document(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_settings settings;
    rf_server server = {.set = &settings, .routes = *rfi_service_routes()};
    rfi_document made;
    assert_ok(rf_settings_default(&settings, &err));
    server.bounds.range[RFI_BOUND_SAMPLE_SIZE] = (rfi_range){100, 100000};
    server.bounds.range[RFI_BOUND_EPOCHS] = (rfi_range){10, 500};
    assert_ok(rfi_openapi_make(&server, &made, &err));
    json_error_t error;
    document = json_loadb(made.plain.data, made.plain.size_bytes, JSON_REJECT_DUPLICATES, &error);
    if (!document)
        print_error("line %d: %s\n", error.line, error.text);
    rfi_document_free(&made);
    rf_settings_free(&settings);
    return document ? 0 : -1;
}

static int close_document(void **state)
{
    (void)state;
    json_decref(document);
    return 0;
}

static void every_route_is_documented_as_it_is(void **state)
{
    (void)state;
    const rfi_routes *routes = rfi_service_routes();
    for (size_t i = 0; i < routes->n; i++) {
        const rfi_route *route = &routes->rows[i];
        const json_t *operation = operation_of(route);
        if (!operation)
            fail_msg("%s %s is not documented", rfi_method_name(route->method), route->path);
        assert_string_equal(json_string_value(json_object_get(operation, "operationId")), route->name);
        const char *role = json_string_value(json_object_get(operation, "x-role"));
        assert_string_equal(role ? role : "anyone", route->role == RFI_ROLE_ADMIN  ? "admin"
                                                    : route->role == RFI_ROLE_USER ? "user"
                                                                                   : "anyone");
        assert_int_equal(json_array_size(json_object_get(operation, "security")),
                         route->role != RFI_ROLE_ANYONE);
        assert_int_equal(json_object_get(operation, "requestBody") != NULL, route->body != RFI_BODY_NONE);
        const json_t *replies = json_object_get(operation, "responses");
        for (int failure = 0; failure < RFI_FAILURE_COUNT; failure++) {
            char status[8];
            snprintf(status, sizeof status, "%d", rfi_failure_status((rfi_failure)failure));
            if (rfi_route_failures(route) & (1u << failure))
                assert_non_null(json_object_get(replies, status));
        }
    }
}

static void nothing_else_is_documented(void **state)
{
    (void)state;
    const rfi_routes *routes = rfi_service_routes();
    const char *path, *method;
    json_t *methods, *operation;
    size_t n = 0;
    json_object_foreach(json_object_get(document, "paths"), path, methods)
    {
        json_object_foreach(methods, method, operation) n++;
    }
    assert_int_equal(n, routes->n);
}

static void every_row_can_be_served(void **state)
{
    (void)state;
    const rfi_routes *routes = rfi_service_routes();
    for (size_t i = 0; i < routes->n; i++) {
        const rfi_route *route = &routes->rows[i];
        rfi_match match;
        char path[128] = "";
        for (const char *p = route->path; *p; p++) {
            const size_t at = strlen(path);
            if (*p == '{') {
                snprintf(path + at, sizeof path - at, "17");
                p = strchr(p, '}');
            } else
                snprintf(path + at, sizeof path - at, "%c", *p);
        }
        rfi_route_find(routes, route->method, path, &match);
        assert_ptr_equal(match.route, route); /* no other row stands before it */
        assert_non_null(route->handler);
        assert_non_null(route->summary);
        assert_int_equal(route->request != NULL, route->body == RFI_BODY_JSON);
        assert_int_equal(route->sink != NULL, route->body == RFI_BODY_MULTIPART);
        assert_true(strncmp(route->path, "/admin", 6) != 0 || route->role == RFI_ROLE_ADMIN);
    }
}

static void a_row_that_forgets_to_say_is_for_administrators(void **state)
{
    (void)state;
    const rfi_route row = {.path = "/x"};
    assert_int_equal(row.role, RFI_ROLE_ADMIN);
    assert_int_equal(row.run, RFI_BLOCKING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_documented_as_it_is),
        cmocka_unit_test(nothing_else_is_documented),
        cmocka_unit_test(every_row_can_be_served),
        cmocka_unit_test(a_row_that_forgets_to_say_is_for_administrators),
    };
    return cmocka_run_group_tests(tests, open_document, close_document);
}
