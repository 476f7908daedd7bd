/* user.h - who asks, and the proofs that they were given. Open records; texts are lent by whoever filled them in
 * (an arena, as a rule). Times are milliseconds since 1970 UTC, 0 is "never".
 */
#ifndef RF_DOMAIN_USER_H
#define RF_DOMAIN_USER_H

#include <stdbool.h>
#include <stdint.h>

/* name in the program, name for people */
#define RF_ROLE_TABLE(X)                                                                                     \
    X(USER, "user")                                                                                          \
    X(ADMIN, "admin")

typedef enum rf_role {
#define RF_ROLE_ENUM(name, text) RF_ROLE_##name,
    RF_ROLE_TABLE(RF_ROLE_ENUM)
#undef RF_ROLE_ENUM
        RF_ROLE_COUNT
} rf_role;

const char *rf_role_name(rf_role role);
int rf_role_find(const char *name); /* -1: none */

typedef struct rf_user {
    int64_t id;
    const char *email; /* lower case */
    const char *name;  /* "" when not given */
    const char *password_hash;
    rf_role role;
    bool disabled;
    int64_t created_ms;
} rf_user;

/* One refresh token. All that descend from one login are a family; the token itself is known by its SHA-256 only. */
typedef struct rf_refresh {
    const char *hash; /* 64 lower-case hex digits */
    int64_t family_id, user_id;
    int64_t created_ms, expires_ms;
    int64_t used_ms;    /* rotated: a second use revokes the family */
    int64_t revoked_ms; /* the whole family at once                 */
} rf_refresh;

#endif
