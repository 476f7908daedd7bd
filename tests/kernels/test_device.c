/* test_device.c - devices are opened by name, and say the truth about what is not here. */
#include "rf_test.h"

#include "core/alloc.h"
#include "kernels/backend.h"
#include "kernels/ops.h"

static void memory_comes_zeroed_and_aligned(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_device *device = NULL;
    assert_ok(rf_device_open(&device, "auto", 2, &err));
    for (size_t size = 0; size < 3000; size += 311) {
        uint8_t *p = NULL, back[3000];
        assert_ok(rf_device_alloc(device, (void **)&p, size, &err));
        assert_int_equal((uintptr_t)p % 256, 0);
        assert_ok(rf_device_read(device, back, p, size, &err));
        for (size_t i = 0; i < size; i++)
            assert_int_equal(back[i], 0);
        rf_device_free(device, p);
    }
    rf_device_free(device, NULL);
    rf_device_close(device);
}

static void a_device_says_how_many_threads_it_has(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_device *device = NULL;
    assert_ok(rf_device_open(&device, "cpu", 3, &err));
    assert_string_equal(device->name, "cpu");
    assert_non_null(strstr(device->summary, "3 threads"));
    rf_device_close(device);
    rf_device_close(NULL);
}

static void names_that_cannot_be_opened_say_why(void **state)
{
    (void)state;
    rf_error err;
    rf_device *device = NULL;
    assert_fails(rf_device_open(&device, "gpu", 1, &err), RF_USAGE, "auto, cpu, cuda");
    assert_fails(rf_device_open(&device, "cuda:x", 1, &err), RF_USAGE, "cuda:x");
    assert_fails(rf_device_open(&device, "cuda:", 1, &err), RF_USAGE, "cuda:");
    assert_fails(rf_device_open(&device, "cuda", 1, &err), RF_DEVICE, "ROWFORGE_CUDA_LIBRARY is none");
    assert_fails(rf_device_open(&device, "cuda:1", 1, &err), RF_DEVICE, "cuda:1");
    setenv("ROWFORGE_CPU", "mmx", 1);
    assert_fails(rf_device_open(&device, "cpu", 1, &err), RF_USAGE, "baseline");
    unsetenv("ROWFORGE_CPU");
    assert_null(device);
}

static void the_list_names_every_side(void **state)
{
    (void)state;
    rf_buf text, json;
    rf_buf_init(&text);
    rf_buf_init(&json);
    rf_device_list(&text, false);
    rf_device_list(&json, true);
    assert_non_null(strstr(text.data, "cpu, "));
    assert_non_null(strstr(text.data, "cuda    cannot be used"));
    assert_non_null(strstr(json.data, "{\"name\":\"cpu\",\"usable\":true,"));
    assert_non_null(strstr(json.data, "{\"name\":\"cuda\",\"usable\":false,"));
    rf_buf_free(&text);
    rf_buf_free(&json);
}

static void open_fails_cleanly_at_every_allocation(void **state)
{
    (void)state;
    rf_error err;
    for (int64_t nth = 1; nth < 100; nth++) {
        rf_device *device = NULL;
        rf_alloc_fail_at(nth);
        rf_code code = rf_device_open(&device, "cpu", 2, &err);
        rf_alloc_fail_at(0);
        rf_device_close(device);
        if (code == RF_OK)
            return;
        assert_int_equal(code, RF_NO_MEMORY);
        assert_null(device);
    }
    fail();
}

static void an_operation_without_memory_is_told_at_the_next_read(void **state)
{
    (void)state;
    enum { ROWS = 200, N = 8 };
    rf_error err = {0};
    rf_device *device = NULL;
    float *x = NULL, back[4];
    assert_ok(rf_device_open(&device, "cpu", 1, &err));
    assert_ok(rf_device_alloc(device, (void **)&x, (ROWS * N * 2 + N * N) * sizeof *x, &err));
    rf_mat a = {x, ROWS, N, N}, b = {x + ROWS * N, ROWS, N, N};
    rf_alloc_fail_at(1);
    device->ops->update(
        device,
        &(rf_update){
            .rows = N, .cols = N, .n_dense = 1, .dense = {{.a = a, .b = b}}, .grad = x + 2 * ROWS * N});
    rf_alloc_fail_at(0);
    assert_fails(rf_device_read(device, back, x, sizeof back, &err), RF_NO_MEMORY, "bytes");
    rf_device_free(device, x);
    rf_device_close(device);
}

int main(void)
{
    setenv("ROWFORGE_CUDA_LIBRARY", "none", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_zeroed_and_aligned),
        cmocka_unit_test(a_device_says_how_many_threads_it_has),
        cmocka_unit_test(names_that_cannot_be_opened_say_why),
        cmocka_unit_test(the_list_names_every_side),
        cmocka_unit_test(open_fails_cleanly_at_every_allocation),
        cmocka_unit_test(an_operation_without_memory_is_told_at_the_next_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
