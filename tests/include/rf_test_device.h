/* rf_test_device.h - the device that a test runs on: the CPU, or what RF_TEST_DEVICE names, in the construction of
 * RF_TEST_CONSTRUCTION. The tests of models so run on a GPU, real or emulated, as they are. */
#ifndef RF_TEST_DEVICE_H
#define RF_TEST_DEVICE_H

#include "rf_test.h"

#include "kernels/backend.h"

static inline __attribute__((unused)) rf_device *rf_test_device(int n_threads)
{
    rf_error err = {0};
    rf_device *device = NULL;
    rf_device_options options = {.n_threads = n_threads};
    const char *name = getenv("RF_TEST_DEVICE"), *construction = getenv("RF_TEST_CONSTRUCTION");
    if (construction)
        assert_ok(rf_construction_parse(&options.construction, construction, &err));
    if (rf_device_open_with(&device, name && *name ? name : "cpu", &options, &err) != RF_OK)
        fail_msg("%s", err.message);
    return device;
}

#endif
