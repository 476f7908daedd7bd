/* dotenv.h - NAME=value lines of a .env file.
 *
 *     # a comment
 *     PORT=8000
 *     export APP_NAME="rowforge of the north"     # quotes are taken off; \n \t \" \\ \$ mean what they do in C
 *     SECRET_KEY='taken as it is, to the other quote'
 *
 * A value without quotes ends at the line's end or before " #". Names are [A-Za-z_][A-Za-z0-9_]*; the last of several lines
 * of one name counts. Nothing is substituted. A value in quotes may go over several lines. Threads: one at a time.
 */
#ifndef RF_CORE_DOTENV_H
#define RF_CORE_DOTENV_H

#include <stddef.h>

#include "core/arena.h"
#include "core/error.h"

typedef struct rf_dotenv_pair {
    const char *name, *value;
    int line; /* from 1 */
} rf_dotenv_pair;

typedef struct rf_dotenv {
    rf_arena arena;
    rf_dotenv_pair *pairs; /* in the order of the file, repeated names included */
    int n;
} rf_dotenv;

/* INPUT naming the first line that cannot be read; `out` has all the others. Free with rf_dotenv_free in any case. */
rf_code rf_dotenv_parse(rf_dotenv *out, const char *text, size_t length, rf_error *err) RF_MUST_CHECK;

/* A file that is not there is an empty one. */
rf_code rf_dotenv_load(rf_dotenv *out, const char *path, rf_error *err) RF_MUST_CHECK;
void rf_dotenv_free(rf_dotenv *env);

/* The value of a name, or NULL. */
const char *rf_dotenv_find(const rf_dotenv *env, const char *name);

#endif
