#include "engine/table/metadata.h"

#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "core/alloc.h"
#include "core/file.h"
#include "rf_test.h"

/* One parse and what came of it. */
typedef struct fixture {
    rf_arena arena;
    rf_notes notes;
    rf_metadata metadata;
} fixture;

static int set_up(void **state)
{
    static fixture one;
    memset(&one, 0, sizeof one);
    rf_arena_init(&one.arena);
    rf_notes_init(&one.notes);
    *state = &one;
    return 0;
}

static int tear_down(void **state)
{
    fixture *const f = *state;
    rf_notes_free(&f->notes);
    rf_arena_free(&f->arena);
    return 0;
}

static rf_code parse(fixture *f, const char *json, rf_error *err)
{
    return rf_metadata_parse(&f->metadata, &f->arena, "m.json", json, strlen(json), &f->notes, err);
}

static const rf_metadata_column *column(const fixture *f, const char *name)
{
    for (int32_t i = 0; i < f->metadata.n_columns; i++)
        if (strcmp(f->metadata.columns[i].name, name) == 0)
            return &f->metadata.columns[i];
    print_error("no column %s\n", name);
    fail();
    return NULL;
}

static void assert_noted(const fixture *f, const char *part)
{
    for (int i = 0; i < f->notes.n; i++)
        if (strstr(f->notes.texts[i], part) != NULL)
            return;
    print_error("no note says \"%s\"\n", part);
    fail();
}

/* ---------------------------------------------------------------- what is accepted */

static void a_table_keeps_its_columns_in_order_with_their_kinds(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    assert_ok(parse(f,
                    "{\"METADATA_SPEC_VERSION\": \"V1\", \"relationships\": [], \"tables\": {\"people\": {"
                    "\"primary_key\": \"key\", \"alternate_keys\": [\"mail\"], \"columns\": {"
                    "\"zeta\": {\"sdtype\": \"numerical\", \"computer_representation\": \"Int64\"},"
                    "\"alpha\": {\"sdtype\": \"numerical\", \"computer_representation\": \"Float\"},"
                    "\"plain\": {\"sdtype\": \"numerical\", \"range_min\": -1.5, \"range_max\": 7},"
                    "\"day\": {\"sdtype\": \"datetime\", \"datetime_format\": \"%d %b %Y\"},"
                    "\"free\": {\"sdtype\": \"datetime\"},"
                    "\"key\": {\"sdtype\": \"id\", \"regex_format\": \"\\\\d{30}\"},"
                    "\"yes\": {\"sdtype\": \"boolean\"},"
                    "\"word\": {\"sdtype\": \"categorical\", \"order_by\": \"alphabetical\"},"
                    "\"mail\": {\"sdtype\": \"email\", \"pii\": true},"
                    "\"town\": {\"sdtype\": \"city\", \"pii\": false},"
                    "\"what\": {\"sdtype\": \"unknown\"}}}}}",
                    &err));
    static const struct {
        const char *name;
        rf_kind kind;
    } wanted[] = {
        {"zeta", RF_KIND_INTEGER},     {"alpha", RF_KIND_CONTINUOUS}, {"plain", RF_KIND_CONTINUOUS},
        {"day", RF_KIND_DATETIME},     {"free", RF_KIND_DATETIME},    {"key", RF_KIND_ID},
        {"yes", RF_KIND_BOOLEAN},      {"word", RF_KIND_CATEGORICAL}, {"mail", RF_KIND_ID},
        {"town", RF_KIND_CATEGORICAL}, {"what", RF_KIND_ID},
    };
    assert_string_equal(f->metadata.table_name, "people");
    assert_int_equal(f->metadata.n_columns, 11);
    for (int i = 0; i < 11; i++) {
        const rf_metadata_column *const got = &f->metadata.columns[i];
        assert_string_equal(got->name, wanted[i].name);
        assert_int_equal(got->kind, wanted[i].kind);
        assert_int_equal(got->numerical, i < 3);
        assert_int_equal(got->primary_key, i == 5);
        assert_int_equal(got->alternate_key, i == 8);
        assert_true(isnan(got->range_min) == (i != 2) && isnan(got->range_max) == (i != 2));
    }
    assert_string_equal(column(f, "day")->datetime_format, "%d %b %Y");
    assert_null(column(f, "free")->datetime_format);
    assert_string_equal(column(f, "key")->regex, "\\d{30}");
    assert_true(column(f, "plain")->range_min == -1.5 && column(f, "plain")->range_max == 7);
    assert_string_equal(column(f, "mail")->sdtype, "email");
    assert_int_equal(f->notes.n, 0);
}

static void the_older_form_with_columns_at_the_top_is_accepted(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    assert_ok(parse(f,
                    "{\"METADATA_SPEC_VERSION\": \"SINGLE_TABLE_V1\", \"primary_key\": [\"k\"],"
                    "\"columns\": {\"k\": {\"sdtype\": \"id\"}}}",
                    &err));
    assert_string_equal(f->metadata.table_name, "table");
    assert_true(f->metadata.columns[0].primary_key);
    assert_int_equal(f->notes.n, 0);
}

static void any_version_may_have_a_map_of_one_table(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    assert_ok(parse(f,
                    "{\"METADATA_SPEC_VERSION\": \"SINGLE_TABLE_V1\", \"tables\": {\"t\": {\"columns\": "
                    "{\"a\": {\"sdtype\": \"categorical\"}}}}}",
                    &err));
    assert_string_equal(f->metadata.table_name, "t");
}

static void what_has_no_effect_is_noted(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    assert_ok(parse(f,
                    "{\"tables\": {\"t\": {\"columns\": {"
                    "\"a\": {\"sdtype\": \"categorial\", \"colour\": 3},"
                    "\"b\": {\"sdtype\": \"id\"}, \"c\": {\"sdtype\": \"id\"},"
                    "\"n\": {\"sdtype\": \"numerical\", \"computer_representation\": \"Int65\"}},"
                    "\"primary_key\": [\"b\", \"c\"], \"sequence_key\": \"b\", \"shape\": 1,"
                    "\"column_relationships\": [{\"type\": \"gps\"}]}},"
                    "\"relationships\": [{}], \"author\": \"x\"}",
                    &err));
    assert_int_equal(column(f, "a")->kind, RF_KIND_ID);
    assert_false(column(f, "b")->primary_key);
    assert_noted(f, "unknown sdtype 'categorial' and is taken for an id; was 'categorical' meant?");
    assert_noted(f, "the key 'colour' of column 'a' is unknown");
    assert_noted(f, "a primary key of several columns");
    assert_noted(f, "its rows are treated as independent");
    assert_noted(f, "the key 'shape' of the table");
    assert_noted(f, "the key 'author' of the file");
    assert_noted(f, "column_relationships have no effect");
    assert_noted(f, "relationships between tables");
    assert_noted(f, "computer_representation 'Int65'");
    assert_int_equal(f->notes.n, 9);
}

static void notes_are_not_needed(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    static const char json[] = "{\"columns\": {\"a\": {\"sdtype\": \"odd\", \"x\": 1}}}";
    assert_ok(rf_metadata_parse(&f->metadata, &f->arena, "m", json, strlen(json), NULL, &err));
    assert_int_equal(rf_metadata_parse(&f->metadata, &f->arena, "m", "[", 1, NULL, NULL), RF_INPUT);
}

/* ---------------------------------------------------------------- what is refused */

static void a_wrong_file_gets_a_sentence(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
#define COLUMNS(text) "{\"columns\": {" text "}}"
    static const char *const cases[][2] = {
        {"", "not valid JSON at line 1, column 0"},
        {"{", "not valid JSON at line 1"},
        {"{\n\"columns\":\n }", "not valid JSON at line 3"},
        {"{} {}", "not valid JSON"},
        {"{\"a\": 1, \"a\": 2}", "duplicate"},
        {"{\"a\": 99999999999999999999}", "too big integer"},
        {"{\"a\": 1e999}", "real number overflow"},
        {"{\"\\u0000\": 1}", "NUL"},
        {"{\"a\": \"\\ud800\"}", "not valid JSON"},
        {"{\"a\": \"\xFF\"}", "unable to decode"},
        {"[]", "must be an object, not a list"},
        {"3", "not valid JSON at line 1, column 1"},
        {"null", "not valid JSON"},
        {"{}", "\"columns\" must be an object with an entry for each column; there is none"},
        {"{\"columns\": []}", "not a list"},
        {"{\"columns\": {}}", "0 columns"},
        {"{\"tables\": {}}", "exactly one table, and has none"},
        {"{\"tables\": [1]}", "exactly one table, and is none"},
        {"{\"tables\": {\"a\": {}, \"b\": {}}}", "has several"},
        {"{\"tables\": {\"a\": 3}}", "the table must be an object, not a number"},
        {"{\"tables\": null}", "is none"},
        {COLUMNS("\"a\": 3"), "column 'a' must be an object"},
        {COLUMNS("\"a\": {}"), "column 'a' has no sdtype"},
        {COLUMNS("\"a\": {\"sdtype\": 3}"), "\"sdtype\" of column 'a' must be a text, not a number"},
        {COLUMNS("\"a\": {\"sdtype\": \"id\", \"regex_format\": {}}"), "\"regex_format\" of column 'a'"},
        {COLUMNS("\"a\": {\"sdtype\": \"email\", \"pii\": 1}"),
         "\"pii\" of column 'a' must be true or false"},
        {COLUMNS("\"a\": {\"sdtype\": \"datetime\", \"datetime_format\": [\"%Y\"]}"),
         "must be a text, not a list"},
        {COLUMNS("\"a\": {\"sdtype\": \"datetime\", \"datetime_format\": \"%Q\"}"),
         "the datetime_format '%Q' of column 'a' cannot be used"},
        {COLUMNS("\"a\": {\"sdtype\": \"datetime\", \"datetime_format\": \"\"}"), "cannot be used"},
        {COLUMNS("\"a\": {\"sdtype\": \"numerical\", \"range_min\": \"0\"}"), "\"range_min\" of column 'a'"},
        {COLUMNS("\"a\": {\"sdtype\": \"numerical\", \"range_min\": 2, \"range_max\": 1}"),
         "above its range_max"},
        {"{\"columns\": {\"a\": {\"sdtype\": \"id\"}}, \"primary_key\": \"b\"}", "primary_key names 'b'"},
        {"{\"columns\": {\"a\": {\"sdtype\": \"id\"}}, \"primary_key\": 1}",
         "primary_key must name a column"},
        {"{\"columns\": {\"a\": {\"sdtype\": \"id\"}}, \"primary_key\": [[]]}",
         "primary_key must name a column"},
        {"{\"columns\": {\"a\": {\"sdtype\": \"numerical\"}}, \"primary_key\": \"a\"}", "which is numerical"},
        {"{\"columns\": {\"a\": {\"sdtype\": \"id\"}}, \"alternate_keys\": \"a\"}",
         "must be a list of columns"},
        {"{\"columns\": {\"a\": {\"sdtype\": \"id\"}}, \"alternate_keys\": [\"c\"]}",
         "alternate_keys names 'c'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_fails(parse(f, cases[i][0], &err), RF_INPUT, cases[i][1]);
        assert_non_null(strstr(err.message, "m.json"));
        assert_int_equal(f->metadata.n_columns, 0);
    }
}

static void deep_nesting_is_refused(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    enum { DEEP = 1000000 };
    char *const json = malloc(DEEP + 1);
    assert_non_null(json);
    memset(json, '[', DEEP);
    json[DEEP] = '\0';
    assert_fails(parse(f, json, &err), RF_INPUT, "depth");
    free(json);
}

static void more_columns_than_a_table_may_have_are_refused(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    rf_buf json;
    rf_buf_init(&json);
    rf_buf_puts(&json, "{\"columns\": {");
    for (int i = 0; i <= RF_COLUMNS_MAX; i++)
        rf_buf_printf(&json, "%s\"c%d\": {\"sdtype\": \"id\"}", i > 0 ? "," : "", i);
    rf_buf_puts(&json, "}}");
    assert_fails(parse(f, json.data, &err), RF_INPUT, "10001 columns; 1 to 10000");
    rf_buf_free(&json);
}

static void long_names_are_shown_cut_between_letters(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    rf_buf json;
    rf_buf_init(&json);
    rf_buf_puts(&json, "{\"columns\": {\"x");
    for (int i = 0; i < 300; i++)
        rf_buf_puts(&json, "\xC3\xA9");
    rf_buf_puts(&json, "\": {}}}");
    assert_fails(parse(f, json.data, &err), RF_INPUT, "\xC3\xA9' has no sdtype");
    rf_buf_free(&json);
}

/* ---------------------------------------------------------------- files and memory */

static void a_file_is_read_and_a_missing_one_is_not_found(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    char path[] = "/tmp/rf-metadata-XXXXXX";
    static const char json[] = "{\"columns\": {\"a\": {\"sdtype\": \"boolean\"}}}";
    const int handle = mkstemp(path);
    assert_true(handle >= 0);
    assert_int_equal(write(handle, json, strlen(json)), strlen(json));
    close(handle);
    assert_ok(rf_metadata_read(&f->metadata, &f->arena, path, &f->notes, &err));
    assert_int_equal(f->metadata.columns[0].kind, RF_KIND_BOOLEAN);
    unlink(path);
    assert_fails(rf_metadata_read(&f->metadata, &f->arena, path, &f->notes, &err), RF_NOT_FOUND, path);
}

static void the_shared_example_of_the_reference_is_read(void **state)
{
    fixture *const f = *state;
    rf_error err = {0};
    char path[512];
    const char *const folder = getenv("ROWFORGE_DATA");
    snprintf(path, sizeof path, "%s/student_placements_metadata.json",
             folder != NULL ? folder : RF_TEST_DATA "/../../shared/data");
    if (access(path, R_OK) != 0) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    assert_ok(rf_metadata_read(&f->metadata, &f->arena, path, &f->notes, &err));
    assert_int_equal(f->metadata.n_columns, 17);
    assert_string_equal(f->metadata.columns[0].name, "start_date");
    assert_true(column(f, "student_id")->primary_key);
    assert_int_equal(f->notes.n, 0);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char json[] =
        "{\"tables\": {\"t\": {\"primary_key\": \"k\", \"columns\": {\"k\": {\"sdtype\": \"id\", "
        "\"regex_format\": "
        "\"x\"}, \"d\": {\"sdtype\": \"datetime\", \"datetime_format\": \"%Y-%m-%d\"}, \"o\": {\"sdtype\": "
        "\"odd\", \"odder\": 1}}}}}";
    bool done = false;
    json_set_alloc_funcs(rf_malloc, rf_free);
    for (int64_t nth = 1; !done; nth++) {
        fixture f = {0};
        rf_error err = {0};
        rf_arena_init(&f.arena);
        rf_notes_init(&f.notes);
        rf_alloc_fail_at(nth);
        const rf_code rc = parse(&f, json, &err);
        done = rf_alloc_count() < nth;
        rf_alloc_fail_at(0);
        if (rc != RF_OK) {
            /* A token that the JSON library had no memory for, it calls a wrong one. */
            assert_true(rc == RF_NO_MEMORY ||
                        (rc == RF_INPUT && strstr(err.message, "not valid JSON") != NULL));
            assert_true(err.message[0] != '\0');
        } else {
            assert_int_equal(f.metadata.n_columns, 3);
        }
        rf_notes_free(&f.notes);
        rf_arena_free(&f.arena);
        assert_true(nth < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_table_keeps_its_columns_in_order_with_their_kinds, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_older_form_with_columns_at_the_top_is_accepted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(any_version_may_have_a_map_of_one_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_has_no_effect_is_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notes_are_not_needed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wrong_file_gets_a_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(deep_nesting_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(more_columns_than_a_table_may_have_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(long_names_are_shown_cut_between_letters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_read_and_a_missing_one_is_not_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_shared_example_of_the_reference_is_read, set_up, tear_down),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
