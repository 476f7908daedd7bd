/* The table of statements keeps to what SQLite and PostgreSQL both read. */
#include <ctype.h>

#include "core/text.h"
#include "db/query.h"
#include "db/schema.h"
#include "db_rig.h"
#include "rf_test.h"

static bool contains_nocase(const char *text, const char *part)
{
    const size_t length = strlen(part);
    for (; *text; text++)
        if (strlen(text) >= length && rf_text_equal_nocase(text, length, part))
            return true;
    return false;
}

static const char *const forbidden[] = {"::",          "?",
                                        "\"",          "now()",
                                        "ilike",       "jsonb",
                                        "serial",      "autoincrement",
                                        "rowid",       "returning *",
                                        "datetime(",   "for update",
                                        "skip locked", "if not exists",
                                        "insert or",   "replace into",
                                        "pragma",      "true",
                                        "false"};

static void check_text(const char *name, const char *text)
{
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        if (contains_nocase(text, forbidden[i])) {
            print_error("%s holds \"%s\"\n", name, forbidden[i]);
            fail();
        }
}

static void statements_hold_nothing_that_only_one_database_reads(void **state)
{
    (void)state;
    for (int i = 0; i < RFI_STATEMENT_COUNT; i++)
        check_text(rfi_statement_names[i], rfi_statement_texts[i]);
    for (int i = 0; i < rfi_migration_count; i++)
        check_text(rfi_migrations[i].name, rfi_migrations[i].sql);
}

/* The number after a dollar; 0 at the end. */
static int next_parameter(const char **at)
{
    *at = strchr(*at, '$');
    if (!*at)
        return 0;
    char *end = NULL;
    const int number = (int)strtol(*at + 1, &end, 10);
    *at = end;
    return number;
}

static void parameters_are_numbered_without_gaps(void **state)
{
    (void)state;
    for (int i = 0; i < RFI_STATEMENT_COUNT; i++) {
        unsigned seen = 0;
        const char *at = rfi_statement_texts[i];
        for (int number; (number = next_parameter(&at));) {
            assert_in_range(number, 1, RFI_PARAMS_MAX);
            seen |= 1u << number;
        }
        if (((seen >> 1) & ((seen >> 1) + 1)) != 0) {
            print_error("%s leaves out a parameter\n", rfi_statement_names[i]);
            fail();
        }
    }
}

static void a_parameter_meets_a_column_before_a_number(void **state)
{
    (void)state;
    for (int i = 0; i < RFI_STATEMENT_COUNT; i++) {
        const char *const text = rfi_statement_texts[i];
        for (const char *at = strchr(text, '$'); at; at = strchr(at + 1, '$')) {
            char own[16];
            const size_t digits = strspn(at + 1, "0123456789");
            snprintf(own, sizeof own, "%.*s", (int)digits + 1, at);
            const bool first = strstr(text, own) == at;
            if (first && !strncmp(at + 1 + digits, " = ", 3) &&
                (at[digits + 4] == '0' || at[digits + 4] == '\'')) {
                print_error("%s: %s meets a constant first\n", rfi_statement_names[i], own);
                fail();
            }
        }
    }
}

/* Every statement is understood: with wrong values it fails as the database does, never as text that was not read. */
static rf_code run_all(rf_db_tx *tx, void *arg, rf_error *err)
{
    (void)arg;
    for (int i = 0; i < RFI_STATEMENT_COUNT; i++) {
        rfi_value values[RFI_PARAMS_MAX];
        int n = 0;
        const char *at = rfi_statement_texts[i];
        for (int number; (number = next_parameter(&at));)
            n = number > n ? number : n;
        for (int p = 0; p < n; p++)
            values[p] = rfi_int(0);
        const rf_code rc = rfi_query_run(tx, (rfi_statement)i, values, n, NULL, NULL, NULL, err);
        if (rc != RF_OK && (rc != RF_INTERNAL || !strstr(err->detail, "constraint"))) {
            print_error("%s: %s (%s)\n", rfi_statement_names[i], err->message, err->detail);
            return rc;
        }
    }
    return rf_fail(err, RF_CONFLICT, "undone");
}

static void every_statement_is_understood(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    assert_fails(rf_db_write(rig->db, run_all, NULL, &err), RF_CONFLICT, "undone");
}

static rf_code swapped(rf_db_tx *tx, void *arg, rf_error *err)
{
    (void)arg;
    return rf_db_fact_set(tx, "name", "value", err);
}

/* SQLite numbers $2 before $1 when it reads it first: binding by position would swap the two. */
static void values_are_bound_by_the_number_in_the_name(void **state)
{
    db_rig *const rig = *state;
    rf_error err = {0};
    rf_db_tx *tx = NULL;
    const int64_t job = db_rig_job(rig, db_rig_user(rig, "a@example.org"));
    assert_ok(rf_db_write(rig->db, swapped, NULL, &err));
    assert_ok(rf_db_read_begin(rig->db, &tx, &err));
    rf_job out;
    bool found = false;
    assert_ok(rf_db_job_find(tx, 99, job, &rig->arena, &out, &found, &err)); /* another's */
    assert_false(found);
    assert_ok(rf_db_job_find(tx, 1, job, &rig->arena, &out, &found, &err));
    assert_true(found);
    assert_fails(rfi_query_run(tx, RFI_SQL_job_find, RFI_VALUES(rfi_int(1)), NULL, NULL, NULL, &err),
                 RF_INTERNAL, "takes 2 values");
    rf_db_read_end(tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_hold_nothing_that_only_one_database_reads),
        cmocka_unit_test(parameters_are_numbered_without_gaps),
        cmocka_unit_test(a_parameter_meets_a_column_before_a_number),
        cmocka_unit_test_setup_teardown(every_statement_is_understood, db_rig_setup, db_rig_teardown),
        cmocka_unit_test_setup_teardown(values_are_bound_by_the_number_in_the_name, db_rig_setup,
                                        db_rig_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
