#include "csv_test.h"

#include <math.h>
#include <unistd.h>

#include "core/file.h"

/* ---------------------------------------------------------------- kinds and round trips */

/* What is read, the kinds that follow, and the text that comes back (NULL: the same). */
typedef struct example {
    const char *title, *csv, *kinds, *back;
} example;

#define TEN(row) row row row row row row row row row row

static const example examples[] = {
    {"two columns", "a,b\n1,x\n2,y\n", "integer categorical", NULL},
    {"no line end at the end", "a,b\n1,x\n2,y", "integer categorical", "a,b\n1,x\n2,y\n"},
    {"empty lines at the end", "a,b\n1,x\n2,y\n\n\n", "integer categorical", "a,b\n1,x\n2,y\n"},
    {"empty lines at the start", "\n\na,b\n1,x\n2,y\n", "integer categorical", "a,b\n1,x\n2,y\n"},
    {"carriage returns", "a,b\r\n1,x\r\n2,y\r\n", "integer categorical", NULL},
    {"old Mac line ends", "a,b\r1,x\r2,y\r", "integer categorical", "a,b\n1,x\n2,y\n"},
    {"a byte order mark",
     "\xEF\xBB\xBF"
     "a,b\n1,x\n2,y\n",
     "integer categorical", NULL},
    {"semicolons", "a;b\n1;x\n2;y\n", "integer categorical", NULL},
    {"tabs", "a\tb\n1\tx\n2\ty\n", "integer categorical", NULL},
    {"bars", "a|b\n1|x\n2|y\n", "integer categorical", NULL},
    {"Excel's line that names the delimiter", "sep=;\na,1;b\n1;x\n2;y\n", "integer categorical",
     "a,1;b\n1;x\n2;y\n"},
    {"the same behind a byte order mark, with tabs", "\xEF\xBB\xBFSep=\t\r\na\tb\r\n1\tx\r\n2\ty\r\n",
     "integer categorical",
     "\xEF\xBB\xBF"
     "a\tb\r\n1\tx\r\n2\ty\r\n"},
    {"a header that only begins like it", "sep=;x\n1;2\n3;4\n", "integer integer", "\"sep=\";x\n1;2\n3;4\n"},
    {"a header that is no such line because of its quotes", "\"Sep=;\"\n1\n2\n", "integer", NULL},
    {"two lines of which the second is the header", "sep=;\nsep=;\n1;2\n3;4\n", "integer integer",
     "\"sep=\";\n1;2\n3;4\n"},
    {"a delimiter in quotes does not count", "a;b\n\"1,2,3,4\";x\n\"2,3,4,5\";y\n", "categorical categorical",
     NULL},
    {"one column", "a\n3.5\n4.25\n", "continuous", NULL},
    {"one column with a missing cell", "a\n3.5\n\n4.25\n", "continuous", "a\n3.5\n\"\"\n4.25\n"},
    {"a quoted cell with a delimiter", "a,b\n\"x,y\",1\nz,2\n", "categorical integer", NULL},
    {"a quoted cell with a line end", "a,b\n\"x\ny\",1\nz,2\n", "categorical integer", NULL},
    {"doubled quotes", "a,b\n\"say \"\"hi\"\"\",1\n\"\"\"\",2\n", "categorical integer", NULL},
    {"a quote inside a plain cell", "a,b\n5'11\",1\n6'0\",2\n", "categorical integer",
     "a,b\n\"5'11\"\"\",1\n\"6'0\"\"\",2\n"},
    {"a quoted header", "\"a,1\",\"b\"\"\"\n1,x\n2,y\n", "integer categorical", NULL},
    {"a header with a line end", "\"a\nb\",c\n1,x\n2,y\n", "integer categorical", NULL},
    {"empty and repeated names", "a,,a,\n1,2,3,4\n5,6,7,8\n", "integer integer integer integer", NULL},
    {"every cell in quotes", "a,b\n\"1\",\"x\"\n\"2\",\"y\"\n", "integer categorical", NULL},
    {"quoted texts, plain numbers", "a,b\n1,\"x\"\n2,\"y\"\n", "integer categorical", NULL},
    {"UTF-8", "n\xC3\xA4me,b\nJos\xC3\xA9,1\n\xE6\x97\xA5\xE6\x9C\xAC,2\n", "categorical integer", NULL},
    /* numbers */
    {"decimals keep their digits", "a\n1.50\n2.25\n-0.10\n", "continuous", NULL},
    {"digits that vary", "a\n67.0\n58.8\n79.33\n", "continuous", NULL},
    {"whole numbers written with a point", "a,b\n27000.0,1\n-3.0,2\n", "integer integer", NULL},
    {"negative numbers", "a,b\n-5,1\n7,2\n", "integer integer", NULL},
    {"numbers with blanks around", "a,b\n 5,x\n7 ,y\n", "integer categorical", "a,b\n5,x\n7,y\n"},
    {"exponents", "a\n1e-3\n2.5E2\n", "continuous", "a\n0.001\n250\n"},
    {"numbers that need all digits", "a\n0.30000000000000004\n0.1\n", "continuous", NULL},
    {"large decimals", "a\n123456789012.25\n0.5\n", "continuous", NULL},
    {"leading zeros are text", "a,b\n007,1\n012,2\n", "categorical integer", NULL},
    {"a leading plus is text", "a,b\n+5,1\n+6,2\n", "categorical integer", NULL},
    {"beyond 2^53 is text", "a,b\n9007199254740993,1\n12,2\n", "categorical integer", NULL},
    {"2^53 is a number", "a,b\n9007199254740992,1\n12,2\n", "integer integer", NULL},
    {"thousands separators are text", "a,b\n\"1,234\",1\n\"2,500\",2\n", "categorical integer", NULL},
    {"a decimal comma", "a;b\n1,5;x\n2,25;y\n", "continuous categorical", NULL},
    {"a decimal comma in tabs", "a\tb\n1,5\tx\n2,25\ty\n", "continuous categorical", NULL},
    {"points between semicolons", "a;b\n1.5;x\n2.25;y\n", "continuous categorical", NULL},
    {"inf among texts is a text", "a,b\ninf,1\nabc,2\n", "categorical integer", NULL},
    /* missing cells */
    {"missing numbers", "a,b\n1,x\n,y\n3,\n", "integer categorical", NULL},
    {"NA", "a,b\n1,x\nNA,y\n3,NA\n", "integer categorical", NULL},
    {"the commonest token is written", "a,b\n1,x\nnull,y\nnull,z\n,w\n5,v\n", "integer categorical",
     "a,b\n1,x\nnull,y\nnull,z\nnull,w\n5,v\n"},
    {"tokens in blanks", "a,b\n1,x\n NA ,y\n3,z\n", "integer categorical", "a,b\n1,x\nNA,y\n3,z\n"},
    {"a quoted token is a text", "a,b\n\"NA\",1\nUS,2\nNA,3\n", "categorical integer", NULL},
    {"a quoted token is missing where all is quoted",
     "\"a\",\"b\"\n\"NA\",\"1\"\n\"US\",\"NULL\"\n\"US\",\"3\"\n", "categorical integer",
     "a,b\nNA,\"1\"\n\"US\",NULL\n\"US\",\"3\"\n"},
    {"a quoted token is missing in a column of numbers", "a,b\n1,x\n\"NA\",y\n3,z\n", "integer categorical",
     "a,b\n1,x\nNA,y\n3,z\n"},
    {"an empty quoted cell is missing", "a,b\n1,x\n2,\"\"\n", "integer categorical", "a,b\n1,x\n2,\n"},
    {"a column without any cell", "a,b\n,x\n,y\n", "categorical categorical", NULL},
    /* booleans */
    {"true and false", "a,b\ntrue,1\nfalse,2\ntrue,3\n", "boolean integer", NULL},
    {"Yes and No", "a,b\nYes,1\nNo,2\n,3\n", "boolean integer", NULL},
    {"Y and N", "a,b\nY,1\nN,2\nN,3\n", "boolean integer", NULL},
    {"three texts are no boolean", "a,b\ntrue,1\nfalse,2\nTrue,3\n", "categorical integer", NULL},
    {"one text is no boolean", "a,b\ntrue,1\ntrue,2\n", "categorical integer", NULL},
    {"0 and 1 in few rows", "a,b\n0,x\n1,y\n0,x\n1,y\n0,z\n", "integer categorical", NULL},
    {"0 and 1 in many rows", "a,b\n" TEN("0,x\n1,y\n"), "categorical categorical", NULL},
    {"5 values in 50 rows", "a,b\n" TEN("0,x\n1,y\n2,x\n3,x\n4,z\n"), "categorical categorical", NULL},
    {"3 values in 20 rows", "a,b\n" TEN("0,x\n1,y\n") "2,z\n", "integer categorical", NULL},
    {"few negative values", "a,b\n" TEN("0,x\n-1,y\n"), "integer categorical", NULL},
    {"few values with a point", "a,b\n" TEN("0.0,x\n1.0,y\n"), "categorical categorical", NULL},
    {"few values that vary in digits", "a,b\n" TEN("0,x\n1.0,y\n"), "integer categorical",
     "a,b\n" TEN("0,x\n1,y\n")},
    /* dates */
    {"ISO dates", "a,b\n2020-01-31,1\n1999-12-01,2\n", "datetime integer", NULL},
    {"ISO times", "a,b\n2020-01-31 10:20:30,1\n1999-12-01 00:00:00,2\n", "datetime integer", NULL},
    {"German dates", "a;b\n31.01.2020;1\n01.12.1999;2\n", "datetime integer", NULL},
    {"day first", "a,b\n31/01/2020,1\n01/12/1999,2\n", "datetime integer", NULL},
    {"month first", "a,b\n01/31/2020,1\n12/01/1999,2\n", "datetime integer", NULL},
    {"eight digits", "a,b\n20200131,1\n19991201,2\n", "datetime integer", NULL},
    {"eight digits that are no dates", "a,b\n20200131,1\n20209999,2\n", "integer integer", NULL},
    {"dates with a missing one", "a,b\n2020-01-31,1\n,2\n2020-02-29,3\n", "datetime integer", NULL},
    {"a date that does not exist", "a,b\n2020-01-31,1\n2020-02-30,2\n", "categorical integer", NULL},
    {"dates with commas", "a,b\n\"Jan 31, 2020\",1\n\"Dec 01, 1999\",2\n", "datetime integer", NULL},
    /* ids */
    {"a number called id", "user_id,b\n10,1\n20,1\n15,1\n", "id integer", NULL},
    {"a number called id that repeats", "user_id,b\n10,1\n20,1\n10,1\n", "integer integer", NULL},
    {"a text called email", "email,b\nx@y.z,1\na@b.c,2\n", "id integer", NULL},
    {"a state that repeats", "state,b\nOhio,1\nUtah,2\nOhio,3\n", "categorical integer", NULL},
    {"latitude is a number", "latitude,b\n1.5,1\n2.25,2\n", "continuous integer", NULL},
    {"id only as a word", "width,b\n10,1\n20,1\n15,1\n", "integer integer", NULL},
    {"an id with a capital", "userId,b\n10,1\n20,1\n15,1\n", "id integer", NULL},
    {"20 different texts",
     "a\na1\na2\na3\na4\na5\na6\na7\na8\na9\nb1\nb2\nb3\nb4\nb5\nb6\nb7\nb8\nb9\nc1\nc2\n", "id", NULL},
    {"19 different texts", "a\na1\na2\na3\na4\na5\na6\na7\na8\na9\nb1\nb2\nb3\nb4\nb5\nb6\nb7\nb8\nb9\nc1\n",
     "categorical", NULL},
};

static void each_example_has_its_kinds_and_comes_back(void **state)
{
    csv_fixture *const f = *state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        rf_error err = {0};
        if (csv_read_text(f, examples[i].csv, NULL, &err) != RF_OK) {
            print_error("%s: %s\n", examples[i].title, err.message);
            fail();
        }
        csv_kinds(f->table, &f->text);
        if (strcmp(f->text.data, examples[i].kinds) != 0) {
            print_error("%s: %s instead of %s\n", examples[i].title, f->text.data, examples[i].kinds);
            fail();
        }
        const char *expected = examples[i].back ? examples[i].back : examples[i].csv, *back = csv_written(f);
        if (strcmp(back, expected) != 0) {
            print_error("%s: came back as\n%s\ninstead of\n%s\n", examples[i].title, back, expected);
            fail();
        }
    }
}

static void reading_again_what_was_written_gives_the_same_text(void **state)
{
    csv_fixture *const f = *state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        rf_error err = {0};
        assert_ok(csv_read_text(f, examples[i].csv, NULL, &err));
        char *once = strdup(csv_written(f));
        assert_ok(csv_read_text(f, once, NULL, &err));
        const char *twice = csv_written(f);
        if (strcmp(once, twice) != 0) {
            print_error("%s:\n%s\nbecame\n%s\n", examples[i].title, once, twice);
            fail();
        }
        free(once);
    }
}

/* ---------------------------------------------------------------- cells */

static void values_and_codes_are_where_they_belong(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "n,t,d\n1.5,b,1970-01-02\n,a,\n-2,b,1969-12-31\n", NULL, &err));
    const rf_column *columns = f->table->columns;
    assert_int_equal(f->table->n_rows, 3);
    assert_true(columns[0].values[0] == 1.5 && isnan(columns[0].values[1]) && columns[0].values[2] == -2);
    assert_int_equal(columns[0].n_missing, 1);
    assert_null(columns[0].codes);
    assert_int_equal(columns[1].codes[0], 0);
    assert_int_equal(columns[1].codes[1], 1);
    assert_int_equal(columns[1].codes[2], 0);
    assert_int_equal(columns[1].dict.n, 2);
    size_t length;
    assert_memory_equal(rf_dict_text(&columns[1].dict, 1, &length), "a", 1);
    assert_true(columns[2].values[0] == 86400 && isnan(columns[2].values[1]) &&
                columns[2].values[2] == -86400);
    assert_string_equal(f->table->schema.fields[2].datetime_format, "%Y-%m-%d");
}

/* Digits after the point do not tell how long 6.02e23 and 1.6e-19 were; digits in front of the exponent do. */
static void digits_before_an_exponent_are_learned(void **state)
{
    static const struct {
        const char *csv;
        int32_t decimals;
    } cases[] = {
        {"a\n1.61e-19\n9.1094e-31\n2e-300\n", -1 - 5},
        {"a\n6.022e23\n2.998E+08\n", -1 - 4},
        {"a\n6.02e23\n12.5\n", -1},         /* a plain one might have as many digits as the largest */
        {"a\n1e-20\n0.25\n12.5\n", -1 - 4}, /* two in front of the point, two behind it */
        {"a\n1e-20\n0.1234567890123456\n", -1},
        {"a\n1.2345678901234567e-20\n1e-3\n", -1},
        {"a\n1e-3\n2.5E2\n", 3},
    };
    csv_fixture *const f = *state;
    rf_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(csv_read_text(f, cases[i].csv, NULL, &err));
        assert_int_equal(f->table->schema.fields[0].kind, RF_KIND_CONTINUOUS);
        assert_int_equal(f->table->schema.fields[0].decimals, cases[i].decimals);
    }
}

static void digits_are_learned(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "a,b,c,d\n1.50,2,1.0,9.83E-05\n1.25,3,2.0,0.5\n", NULL, &err));
    const rf_field *fields = f->table->schema.fields;
    assert_int_equal(fields[0].decimals, 2);
    assert_int_equal(fields[0].min_decimals, 2);
    assert_int_equal(fields[1].decimals, 0);
    assert_int_equal(fields[2].decimals, 0);
    assert_int_equal(fields[2].min_decimals, 1);
    assert_int_equal(fields[3].decimals, 7);
    assert_int_equal(fields[3].min_decimals, 0);
}

static void labels_are_unique_and_noted(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "a,,a,a.2,a\n1,2,3,4,5\n6,7,8,9,10\n", NULL, &err));
    static const char *const labels[] = {"a", "column 2", "a.3", "a.2", "a.4"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(f->table->schema.fields[i].label, labels[i]);
    assert_string_equal(f->table->schema.fields[2].name, "a");
    assert_csv_noted(f, "column 2 has no name");
    assert_csv_noted(f, "column 3 repeats the name \"a\"");
    assert_int_equal(rf_schema_find(&f->table->schema, "a"), 0);
    assert_int_equal(rf_schema_find(&f->table->schema, "column 2"), 1);
    assert_int_equal(rf_schema_find(&f->table->schema, "b"), -1);
}

static void a_header_that_looks_like_a_row_is_noted(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "1,2,x\n3,4,y\n5,6,z\n", NULL, &err));
    assert_csv_noted(f, "say --no-header");
    assert_ok(csv_read_text(f, "a,2020,b\n3,4,y\n5,6,z\n", NULL, &err));
    assert_int_equal(f->notes.n, 0);
    assert_ok(csv_read_text(
        f, "a,a,a,a,a,a,a,a,a,a,a,a,a\n1,2,3,4,5,6,7,8,9,1,2,3,4\n2,2,2,2,2,2,2,2,2,2,2,2,2\n", NULL, &err));
    assert_csv_noted(f, "2 more columns have no name of their own");
    assert_string_equal(f->table->schema.fields[12].label, "a.13");
}

static void a_table_without_a_header_gets_names(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_table_options options = {.no_header = true};
    assert_ok(csv_read_text(f, "1,x\n2,y\n", &options, &err));
    assert_int_equal(f->table->n_rows, 2);
    assert_string_equal(f->table->schema.fields[1].label, "column 2");
    assert_string_equal(csv_written(f), "1,x\n2,y\n");
}

static void latin1_becomes_utf8(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_table_options options = {.latin1 = true};
    assert_ok(csv_read_text(f,
                            "n\xE4me,b\nJos\xE9,1\n\"\xE9\"\"\xFF\",2\n\xDCn\xEF"
                            "c\xF6"
                            "de,3\n",
                            &options, &err));
    assert_string_equal(csv_written(f),
                        "n\xC3\xA4me,b\nJos\xC3\xA9,1\n\"\xC3\xA9\"\"\xC3\xBF\",2\n\xC3\x9Cn\xC3\xAF"
                        "c\xC3\xB6"
                        "de,3\n");
}

static void missing_tokens_can_be_chosen(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    static const char *const tokens[] = {"?", "-999"};
    const rf_table_options options = {.missing = tokens, .n_missing = 2};
    assert_ok(csv_read_text(f, "a,b\n1,?\n-999,x\n3,NA\n,?\n", &options, &err));
    assert_int_equal(f->table->columns[0].n_missing, 2);
    assert_int_equal(f->table->columns[1].n_missing, 2);
    assert_string_equal(f->table->schema.fields[1].missing_text, "?");
    assert_string_equal(csv_written(f), "a,b\n1,?\n,x\n3,\"NA\"\n,?\n");
}

/* ---------------------------------------------------------------- declared kinds */

static void a_type_wins_over_the_cells(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    const rf_type_override types[] = {{.column = "a", .kind = RF_KIND_CATEGORICAL},
                                      {.column = "b", .kind = RF_KIND_CONTINUOUS},
                                      {.column = "c", .kind = RF_KIND_IGNORED},
                                      {.column = "d", .kind = RF_KIND_BOOLEAN},
                                      {.column = "e", .kind = RF_KIND_ID, .primary_key = true},
                                      {.column = "f", .kind = RF_KIND_INTEGER},
                                      {.column = "g", .kind = RF_KIND_DATETIME}};
    const rf_table_options options = {.types = types, .n_types = 7};
    assert_ok(csv_read_text(f, "a,b,c,d,e,f,g\n1,2,x,on,7,007,01/02/2020\n3,4,y,off,8,+5,03/04/2020\n",
                            &options, &err));
    csv_kinds(f->table, &f->text);
    assert_string_equal(f->text.data, "categorical continuous ignored boolean id integer datetime");
    assert_true(f->table->schema.fields[4].primary_key && f->table->schema.fields[4].declared);
    assert_true(f->table->columns[5].values[0] == 7 && f->table->columns[5].values[1] == 5);
    assert_csv_noted(f, "day from month");
    assert_string_equal(csv_written(f), "a,b,d,e,f,g\n1,2,on,7,7,01/02/2020\n3,4,off,8,5,03/04/2020\n");
}

static void metadata_declares_columns(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    char path[] = "/tmp/rf_csv_metadata_XXXXXX";
    const int fd = mkstemp(path);
    static const char json[] =
        "{\"columns\": {\"k\": {\"sdtype\": \"id\", \"regex_format\": \"[A-Z]{3}\"},"
        "\"n\": {\"sdtype\": \"numerical\"}, \"c\": {\"sdtype\": \"categorical\"},"
        "\"d\": {\"sdtype\": \"datetime\", \"datetime_format\": \"%d/%m/%Y\"}}, \"primary_key\": \"k\"}";
    assert_true(write(fd, json, strlen(json)) == (ssize_t)strlen(json));
    close(fd);
    const rf_table_options options = {.metadata_path = path};
    assert_ok(csv_read_text(f, "k,n,c,d,e\nAAA,1,5,01/02/2020,x\nBBB,2,6,03/04/2020,y\n", &options, &err));
    csv_kinds(f->table, &f->text);
    assert_string_equal(f->text.data, "id integer categorical datetime categorical");
    assert_true(f->table->schema.fields[0].primary_key);
    assert_string_equal(f->table->schema.fields[0].regex, "[A-Z]{3}");
    assert_true(f->table->columns[3].values[0] == 1580515200.0); /* the first of February */
    assert_csv_noted(f, "does not describe the column \"e\"");
    assert_fails(csv_read_text(f, "k,n,c\nA,1,2\nB,3,4\n", &options, &err), RF_INPUT, "does not have");
    unlink(path);
}

/* ---------------------------------------------------------------- changes of mind */

/* 3,000 rows, of which the last is odd: the sample saw only what came before. */
static char *long_column(const char *usual, const char *last, const char *name)
{
    rf_buf csv;
    rf_buf_init(&csv);
    rf_buf_printf(&csv, "%s,other\n", name);
    for (int i = 0; i < 2999; i++) {
        rf_buf_printf(&csv, usual, i % 28 + 1, i);
        rf_buf_puts(&csv, ",x\n");
    }
    rf_buf_printf(&csv, "%s,x\n", last);
    return csv.data;
}

static void a_late_cell_changes_the_kind_and_nothing_is_lost(void **state)
{
    csv_fixture *const f = *state;
    static const struct {
        const char *usual, *last, *kinds, *note;
    } cases[] = {
        {"%2$d", "abc", "id categorical", "1 of 3000 cells are not plain numbers"},
        {"%2$d", "007", "id categorical", "first on line 3001: \"007\""},
        {"%2$d", "+1", "id categorical", "not plain numbers"},
        {"%2$d", "123456789012345678", "id categorical", "not plain numbers"},
        {"%2$d", "1.5", "continuous categorical", NULL},
        {"%2$d.5", "x", "id categorical", "not plain numbers"},
        {"5", "x", "categorical categorical", "not plain numbers"},
        {"5", "2.5", "continuous categorical", NULL},
        {"", "5", "categorical categorical", NULL},
        {"", "-5", "integer categorical", NULL},
        {"", "x", "categorical categorical", NULL},
        {"2020-03-%1$02d", "soon", "categorical categorical", NULL},
        {"2020-03-%1$02d", "2021-01-01", "datetime categorical", NULL},
        {"%1$02d/03/2020", "03/27/2020", "categorical categorical", NULL},
        {"2020%1$02d01", "20201301", "integer categorical", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rf_error err = {0};
        char *csv = long_column(cases[i].usual, cases[i].last, "a");
        assert_ok(csv_read_text(f, csv, NULL, &err));
        csv_kinds(f->table, &f->text);
        if (strcmp(f->text.data, cases[i].kinds) != 0) {
            print_error("%s then %s: %s\n", cases[i].usual, cases[i].last, f->text.data);
            fail();
        }
        if (cases[i].note)
            assert_csv_noted(f, cases[i].note);
        assert_string_equal(csv_written(f), csv);
        free(csv);
    }
}

/* ---------------------------------------------------------------- a second table like the first */

static void a_like_table_takes_the_kinds_by_name(void **state)
{
    csv_fixture *const f = *state;
    rf_error err = {0};
    assert_ok(csv_read_text(f, "a,b,c\n1,x,2020-01-01\n2,y,2020-01-02\n30,z,2020-01-05\n", NULL, &err));
    char path[] = "/tmp/rf_csv_like_XXXXXX.csv";
    const int fd = mkstemps(path, 4);
    static const char other[] = "c,b,a,d\n2021-05-05,5,7,q\nnever,6,abc,r\n";
    assert_true(write(fd, other, strlen(other)) == (ssize_t)strlen(other));
    close(fd);
    rf_table *like = NULL;
    assert_ok(rf_table_read_like(&like, path, &f->table->schema, NULL, &f->notes, &err));
    csv_kinds(like, &f->text);
    assert_string_equal(f->text.data, "datetime categorical integer categorical");
    assert_true(like->columns[2].values[0] == 7 && isnan(like->columns[2].values[1]));
    assert_int_equal(like->columns[2].n_missing, 1);
    assert_true(isnan(like->columns[0].values[1]));
    assert_csv_noted(f, "column a: 1 of 2 cells are not numbers");
    assert_csv_noted(f, "column c: 1 of 2");
    rf_table_free(like);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_example_has_its_kinds_and_comes_back, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(reading_again_what_was_written_gives_the_same_text, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test_setup_teardown(values_and_codes_are_where_they_belong, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(digits_are_learned, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(digits_before_an_exponent_are_learned, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(labels_are_unique_and_noted, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_header_that_looks_like_a_row_is_noted, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_table_without_a_header_gets_names, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(latin1_becomes_utf8, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(missing_tokens_can_be_chosen, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_type_wins_over_the_cells, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(metadata_declares_columns, csv_set_up, csv_tear_down),
        cmocka_unit_test_setup_teardown(a_late_cell_changes_the_kind_and_nothing_is_lost, csv_set_up,
                                        csv_tear_down),
        cmocka_unit_test_setup_teardown(a_like_table_takes_the_kinds_by_name, csv_set_up, csv_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
