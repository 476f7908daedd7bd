/* rf_test.h - the few words that every test file begins with.
 *
 * A test's name is a sentence, its body one behaviour. Files of a program end with
 *     int main(void) { const struct CMUnitTest tests[] = {cmocka_unit_test(name), …};
 *                      return cmocka_run_group_tests(tests, NULL, NULL); }
 */
#ifndef RF_TEST_H
#define RF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/error.h"

/* The call must succeed; otherwise its message is printed. */
#define assert_ok(call)                                                                           \
    do {                                                                                          \
        if ((call) != RF_OK) {                                                                    \
            print_error("%s: %s (%s)\n", #call, err.message, rf_code_name(err.code));             \
            fail();                                                                               \
        }                                                                                         \
    } while (0)

/* The call must fail with this code and a message that contains `part`. */
#define assert_fails(call, expected, part)                                                        \
    do {                                                                                          \
        memset(&err, 0, sizeof err);                                                              \
        rf_code got_ = (call);                                                                    \
        if (got_ != (expected) || !strstr(err.message, (part))) {                                 \
            print_error("%s: got %s \"%s\", wanted %s with \"%s\"\n", #call, rf_code_name(got_),  \
                        err.message, rf_code_name(expected), (part));                             \
            fail();                                                                               \
        }                                                                                         \
    } while (0)

#define assert_near(a, b, tolerance)                                                              \
    do {                                                                                          \
        double a_ = (a), b_ = (b), t_ = (tolerance), d_ = a_ > b_ ? a_ - b_ : b_ - a_;            \
        if (!(d_ <= t_)) {                                                                        \
            print_error("%s = %.17g, %s = %.17g, apart by %g > %g\n", #a, a_, #b, b_, d_, t_);    \
            fail();                                                                               \
        }                                                                                         \
    } while (0)

#endif
