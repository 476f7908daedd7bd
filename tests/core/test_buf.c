/* buf.h and notes.h */
#include "rf_test.h"

#include "core/alloc.h"
#include "core/buf.h"
#include "core/notes.h"

/* ---- collecting ------------------------------------------------------------------------------ */

static void text_is_collected_and_always_ended(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_buf buf;
    rf_buf_init(&buf);
    rf_buf_puts(&buf, "");
    assert_string_equal(buf.data, "");
    rf_buf_puts(&buf, "one ");
    rf_buf_printf(&buf, "%d %s", 2, "three");
    rf_buf_append(&buf, "!?", 1);
    assert_string_equal(buf.data, "one 2 three!");
    assert_int_equal(buf.size_bytes, 12);
    rf_buf_clear(&buf);
    assert_string_equal(buf.data, "");
    for (int i = 0; i < 10000; i++)
        rf_buf_printf(&buf, "%d,", i % 10);
    assert_int_equal(buf.size_bytes, 20000);
    assert_int_equal(strlen(buf.data), 20000);
    assert_ok(rf_buf_check(&buf, "text", &err));
    rf_buf_free(&buf);
    rf_buf_free(NULL);
}

static void room_that_cannot_be_fails_for_good(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_buf buf;
    rf_buf_init(&buf);
    rf_buf_puts(&buf, "kept");
    assert_false(rf_buf_reserve(&buf, SIZE_MAX));
    rf_buf_puts(&buf, " lost");
    assert_string_equal(buf.data, "kept");
    assert_fails(rf_buf_check(&buf, "the page", &err), RF_NO_MEMORY, "the page");
    rf_buf_free(&buf);
    assert_false(buf.failed);
}

static rf_code fill_buf(rf_buf *buf, rf_error *err)
{
    for (int i = 0; i < 100; i++) {
        rf_buf_printf(buf, "row %d of many, ", i);
        rf_put_string(buf, "name", 4);
        rf_put_f64(buf, i);
    }
    return rf_buf_check(buf, "the buffer under test", err);
}

static void buffer_survives_the_failure_of_any_allocation(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_buf buf;
    rf_buf_init(&buf);
    rf_alloc_fail_at(0);
    assert_ok(fill_buf(&buf, &err));
    rf_buf_free(&buf);
    int64_t n_allocations = rf_alloc_count();
    assert_true(n_allocations > 2);
    for (int64_t nth = 1; nth <= n_allocations; nth++) {
        rf_alloc_fail_at(nth);
        assert_fails(fill_buf(&buf, &err), RF_NO_MEMORY, "the buffer under test");
        rf_buf_free(&buf);
    }
    rf_alloc_fail_at(0);
}

/* ---- reading back ---------------------------------------------------------------------------- */

static void put_everything(rf_buf *buf)
{
    static const float floats[] = {1.5f, -0.0f, 3e38f};
    rf_put_u8(buf, 200);
    rf_put_u32(buf, 0x01020304);
    rf_put_u64(buf, UINT64_MAX - 1);
    rf_put_i64(buf, INT64_MIN);
    rf_put_f32(buf, 0.1f);
    rf_put_f64(buf, 0.1);
    rf_put_string(buf, "a\0b", 3);
    rf_put_u32(buf, 3);
    rf_put_f32s(buf, floats, 3);
}

static void get_everything(rf_reader *reader, bool check)
{
    float floats[3];
    size_t length;
    uint8_t u8 = rf_get_u8(reader);
    uint32_t u32 = rf_get_u32(reader);
    uint64_t u64 = rf_get_u64(reader);
    int64_t i64 = rf_get_i64(reader);
    float f32 = rf_get_f32(reader);
    double f64 = rf_get_f64(reader);
    const char *text = rf_get_string(reader, &length);
    uint32_t count = rf_get_count(reader, sizeof(float));
    rf_get_f32s(reader, floats, 3);
    if (!check)
        return;
    assert_int_equal(u8, 200);
    assert_int_equal(u32, 0x01020304);
    assert_true(u64 == UINT64_MAX - 1);
    assert_true(i64 == INT64_MIN);
    assert_true(f32 == 0.1f && f64 == 0.1);
    assert_int_equal(length, 3);
    assert_memory_equal(text, "a\0b", 3);
    assert_int_equal(count, 3);
    assert_true(floats[0] == 1.5f && floats[1] == 0 && floats[2] == 3e38f);
}

static void numbers_are_little_endian_and_come_back(void **state)
{
    (void)state;
    rf_buf buf;
    rf_reader reader;
    rf_buf_init(&buf);
    put_everything(&buf);
    assert_memory_equal(buf.data, "\xC8\x04\x03\x02\x01\xFE", 6);
    rf_reader_init(&reader, buf.data, buf.size_bytes);
    get_everything(&reader, true);
    assert_false(reader.failed);
    assert_int_equal(rf_reader_left(&reader), 0);
    rf_buf_free(&buf);
}

static void bytes_that_end_anywhere_fail_the_reader(void **state)
{
    (void)state;
    rf_buf buf;
    rf_reader reader;
    rf_buf_init(&buf);
    put_everything(&buf);
    for (size_t size = 0; size < buf.size_bytes; size++) {
        char *cut = malloc(size ? size : 1); /* its own block, so that an overrun is seen */
        memcpy(cut, buf.data, size);
        rf_reader_init(&reader, cut, size);
        get_everything(&reader, false);
        assert_true(reader.failed);
        free(cut);
    }
    rf_buf_free(&buf);
}

static void failed_reader_gives_zeros_and_nothing(void **state)
{
    (void)state;
    rf_reader reader;
    float floats[2] = {1, 2};
    size_t length = 9;
    rf_reader_init(&reader, "\x01\x02\x03", 3);
    assert_int_equal(rf_get_u32(&reader), 0);
    assert_true(reader.failed);
    assert_int_equal(rf_get_u8(&reader), 0);
    assert_null(rf_get_string(&reader, &length));
    assert_int_equal(length, 0);
    rf_get_f32s(&reader, floats, 2);
    assert_true(floats[0] == 0 && floats[1] == 0);
    assert_int_equal(rf_reader_left(&reader), 0);
    rf_reader_init(&reader, NULL, 0);
    assert_int_equal(rf_get_u8(&reader), 0);
    assert_true(reader.failed);
}

static void hostile_count_is_refused_before_anybody_allocates(void **state)
{
    (void)state;
    static const struct {
        uint32_t count;
        size_t element_bytes, bytes_left;
        bool fits;
    } cases[] = {{0, 8, 0, true},
                 {2, 8, 16, true},
                 {2, 8, 15, false},
                 {UINT32_MAX, 1, 4, false},
                 {UINT32_MAX, SIZE_MAX / 2, 4, false},
                 {3, 0, 0, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char bytes[32] = {0};
        rf_reader reader;
        memcpy(bytes, &cases[i].count, 4);
        rf_reader_init(&reader, bytes, 4 + cases[i].bytes_left);
        assert_int_equal(rf_get_count(&reader, cases[i].element_bytes), cases[i].fits ? cases[i].count : 0);
        assert_int_equal(reader.failed, !cases[i].fits);
    }
}

/* ---- notes ------------------------------------------------------------------------------------ */

static void equal_notes_are_kept_once(void **state)
{
    (void)state;
    rf_notes notes;
    rf_notes_init(&notes);
    for (int i = 0; i < 60; i++)
        rf_note(&notes, "column %d is constant", i % 20);
    assert_int_equal(notes.n, 20);
    assert_string_equal(notes.texts[19], "column 19 is constant");
    rf_note(NULL, "nobody listens");
    rf_notes_free(&notes);
    rf_notes_free(NULL);
}

static void note_without_memory_is_dropped(void **state)
{
    (void)state;
    for (int nth = 1; nth <= 2; nth++) {
        rf_notes notes;
        rf_notes_init(&notes);
        rf_alloc_fail_at(nth);
        rf_note(&notes, "first");
        assert_int_equal(notes.n, 0);
        rf_note(&notes, "second");
        assert_int_equal(notes.n, 1);
        rf_alloc_fail_at(0);
        rf_notes_free(&notes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_collected_and_always_ended),
        cmocka_unit_test(room_that_cannot_be_fails_for_good),
        cmocka_unit_test(buffer_survives_the_failure_of_any_allocation),
        cmocka_unit_test(numbers_are_little_endian_and_come_back),
        cmocka_unit_test(bytes_that_end_anywhere_fail_the_reader),
        cmocka_unit_test(failed_reader_gives_zeros_and_nothing),
        cmocka_unit_test(hostile_count_is_refused_before_anybody_allocates),
        cmocka_unit_test(equal_notes_are_kept_once),
        cmocka_unit_test(note_without_memory_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
