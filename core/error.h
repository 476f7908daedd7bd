/* error.h - how anything in rowforge says that it failed.
 *
 * An rf_error lives on the caller's stack and is the last parameter of every function that can fail.
 * The function returns the same code that it stored, and the compiler insists that it is looked at:
 *
 *     rf_error err = {0};
 *     if (rf_table_read(&table, path, &options, &err) != RF_OK)
 *         return report(&err);
 *
 * The code is set once, by rf_fail, where the cause is known; on the way up a function may add
 * context (rf_error_context) but never replaces the cause. `err` may be NULL where nobody listens.
 *
 * Inside a function, RF_TRY jumps to the one way out:
 *
 *     rf_code rc = RF_OK;
 *     RF_TRY(open_it(&a, err));
 *     RF_TRY(use_it(a, err));
 * out:
 *     close_it(a);
 *     return rc;
 *
 * Threads: an rf_error belongs to one thread at a time.
 */
#ifndef RF_CORE_ERROR_H
#define RF_CORE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/* name, exit code of the command line, what it means */
#define RF_CODE_TABLE(X)                                                                                     \
    X(OK, 0, "done")                                                                                         \
    X(USAGE, 2, "an option, parameter, model, kind or range that does not exist or cannot be")               \
    X(INPUT, 3, "a file or table that cannot be used as it is")                                              \
    X(CORRUPT, 3, "one of our own files is damaged, foreign or of another version")                          \
    X(NOT_FOUND, 3, "a thing that was named does not exist")                                                 \
    X(IO, 1, "the operating system refused to read or write")                                                \
    X(NO_MEMORY, 1, "memory ran out, or a plan would need more than there is")                               \
    X(DIVERGED, 1, "training produced numbers that are not finite")                                          \
    X(EXHAUSTED, 1, "a bounded search ended without enough results")                                         \
    X(DEVICE, 1, "a device failed or was lost")                                                              \
    X(INTERRUPTED, 130, "the caller asked to stop")                                                          \
    X(INTERNAL, 1, "a bug in rowforge")                                                                      \
    X(MALFORMED, 3, "a request that cannot be read")                                                         \
    X(UNAUTHENTICATED, 1, "nobody, or somebody whose proof is not good")                                     \
    X(FORBIDDEN, 1, "somebody who may not do that")                                                          \
    X(CONFLICT, 1, "it is there already, or in a state that does not allow that")                            \
    X(NOT_READY, 1, "it is not done yet")                                                                    \
    X(NOT_AVAILABLE, 2, "this version cannot do that")                                                       \
    X(TOO_LARGE, 3, "more bytes than a limit allows")                                                        \
    X(UNSUPPORTED_TYPE, 3, "a kind of content that is not read here")                                        \
    X(RATE_LIMITED, 1, "too many in too short a time")                                                       \
    X(UNAVAILABLE, 1, "something that is needed does not answer now")

typedef enum rf_code {
#define RF_CODE_ENUM(name, exit_code, summary) RF_##name,
    RF_CODE_TABLE(RF_CODE_ENUM)
#undef RF_CODE_ENUM
        RF_CODE_COUNT
} rf_code;

typedef struct rf_error {
    rf_code code;      /* what a caller can act on                             */
    char message[256]; /* one line, safe to show the person who asked          */
    char detail[256];  /* for the log: errno, CUDA name                        */
    char context[256]; /* outermost first: "job 123 > train > epoch 12"        */
} rf_error;

#define RF_MUST_CHECK                 __attribute__((warn_unused_result))
#define RF_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))

/* Jumps to `out` with `rc` set when the call fails. */
#define RF_TRY(call)                                                                                         \
    do {                                                                                                     \
        if ((rc = (call)) != RF_OK)                                                                          \
            goto out;                                                                                        \
    } while (0)

/* Sets code and message (printf form, cut at 255 bytes on a UTF-8 boundary) and returns the code.
 * Write a whole sentence without a final full stop: what, where, and what to do. */
rf_code rf_fail(rf_error *err, rf_code code, const char *format, ...) RF_PRINTF(3, 4);

/* As rf_fail, and puts errno's name and text into detail. Call it before anything touches errno. */
rf_code rf_fail_errno(rf_error *err, rf_code code, const char *format, ...) RF_PRINTF(3, 4);

/* Puts "text > " before the context that is there. Does nothing when err is NULL or holds no failure. */
void rf_error_context(rf_error *err, const char *format, ...) RF_PRINTF(2, 3);

/* "NO_MEMORY" and the exit code that the command line gives for it. */
const char *rf_code_name(rf_code code);
int rf_code_exit(rf_code code);

#endif
