#include "rf_test.h"

#include <pthread.h>

#include "core/alloc.h"
#include "crypto/base64url.h"
#include "crypto/digest.h"
#include "crypto/password.h"
#include "crypto/secret.h"

/* ---- digests --------------------------------------------------------------------------------- */

static void sha256_gives_the_digests_of_its_standard(void **state)
{
    (void)state;
    static const struct {
        const char *text, *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    rf_error err = {0};
    char hex[RF_SHA256_HEX_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(rf_sha256_hex(hex, cases[i].text, strlen(cases[i].text), &err));
        assert_string_equal(hex, cases[i].digest);
    }
}

static void sha256_of_parts_is_that_of_the_whole(void **state)
{
    (void)state;
    static char text[100000];
    memset(text, 'x', sizeof text);
    rf_error err = {0};
    char whole[RF_SHA256_HEX_SIZE], parts[RF_SHA256_HEX_SIZE];
    assert_ok(rf_sha256_hex(whole, text, sizeof text, &err));
    rf_sha256 *hash = NULL;
    assert_ok(rf_sha256_open(&hash, &err));
    for (size_t at = 0, part = 0; at < sizeof text; at += part) {
        part = at % 977 < sizeof text - at ? at % 977 + 1 : sizeof text - at;
        part = part < sizeof text - at ? part : sizeof text - at;
        rf_sha256_update(hash, text + at, part);
        rf_sha256_update(hash, text, 0);
    }
    assert_ok(rf_sha256_finish_hex(hash, parts, &err));
    rf_sha256_close(hash);
    assert_string_equal(whole, parts);
}

static void hmac_gives_the_digests_of_rfc_4231(void **state)
{
    (void)state;
    static char long_key[131], short_key[20];
    memset(long_key, 0xaa, sizeof long_key);
    memset(short_key, 0x0b, sizeof short_key);
    const struct {
        const char *key;
        size_t key_bytes;
        const char *data, *digest;
    } cases[] = {
        {short_key, sizeof short_key, "Hi There",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {long_key, sizeof long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    rf_error err = {0};
    uint8_t digest[RF_SHA256_BYTES];
    char hex[RF_SHA256_HEX_SIZE];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(rf_hmac_sha256(digest, cases[i].key, cases[i].key_bytes, cases[i].data,
                                 strlen(cases[i].data), &err));
        rf_hex_encode(hex, digest, sizeof digest);
        assert_string_equal(hex, cases[i].digest);
    }
}

static void prepared_key_signs_again_and_again(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_hmac *hmac = NULL;
    uint8_t once[RF_SHA256_BYTES], again[RF_SHA256_BYTES];
    assert_ok(rf_hmac_open(&hmac, "key", 3, &err));
    assert_ok(rf_hmac_sha256(once, "key", 3, "text", 4, &err));
    for (int i = 0; i < 3; i++) {
        assert_ok(rf_hmac_sign(hmac, again, "text", 4, &err));
        assert_memory_equal(once, again, sizeof once);
    }
    assert_ok(rf_hmac_sign(hmac, again, "", 0, &err));
    assert_memory_not_equal(once, again, sizeof once);
    rf_hmac_close(hmac);
    rf_hmac_close(NULL);
}

static void digest_without_memory_says_so(void **state)
{
    (void)state;
    rf_error err = {0};
    rf_sha256 *hash = NULL;
    rf_hmac *hmac = NULL;
    rf_alloc_fail_at(1);
    assert_fails(rf_sha256_open(&hash, &err), RF_NO_MEMORY, "no memory for a checksum");
    rf_alloc_fail_at(1);
    assert_fails(rf_hmac_open(&hmac, "key", 3, &err), RF_NO_MEMORY, "no memory for a checksum");
    rf_alloc_fail_at(0);
    assert_null(hash);
    assert_null(hmac);
}

/* ---- secrets --------------------------------------------------------------------------------- */

static void random_bytes_differ_each_time(void **state)
{
    (void)state;
    rf_error err = {0};
    uint8_t a[32] = {0}, b[32] = {0};
    assert_ok(rf_random_bytes(a, sizeof a, &err));
    assert_ok(rf_random_bytes(b, sizeof b, &err));
    assert_memory_not_equal(a, b, sizeof a);
    assert_ok(rf_random_bytes(NULL, 0, &err));
}

static void only_the_same_bytes_are_equal(void **state)
{
    (void)state;
    assert_true(rf_secret_equal("abc", 3, "abc", 3));
    assert_true(rf_secret_equal("", 0, "", 0));
    assert_false(rf_secret_equal("abc", 3, "abd", 3));
    assert_false(rf_secret_equal("abc", 3, "abc", 2));
}

static void wiped_secret_is_gone(void **state)
{
    (void)state;
    char secret[] = "secret";
    rf_secret_wipe(secret, sizeof secret);
    for (size_t i = 0; i < sizeof secret; i++)
        assert_int_equal(secret[i], 0);
}

/* ---- base64url ------------------------------------------------------------------------------- */

static void base64url_gives_the_texts_of_its_standard_without_padding(void **state)
{
    (void)state;
    static const struct {
        const char *plain, *coded;
    } cases[] = {{"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
                 {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xff\xef\xbe", "_---"},
                 {"\xfb\xff", "-_8"}};
    char text[32], back[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t length = strlen(cases[i].plain);
        size_t n = 99;
        assert_int_equal(rf_base64url_encode(text, cases[i].plain, length), RF_BASE64URL_LENGTH(length));
        assert_string_equal(text, cases[i].coded);
        assert_true(rf_base64url_decode(back, RF_BASE64URL_BYTES(strlen(text)), &n, text, strlen(text)));
        assert_int_equal(n, length);
        assert_memory_equal(back, cases[i].plain, length);
    }
}

static void text_that_is_spelt_otherwise_is_not_decoded(void **state)
{
    (void)state;
    static const char *const cases[] = {"Z",   "Zg==",  "Zm9v\n", "Zm9v ", "Zm+v",    "Zm/v",      "Zh",
                                        "Zm9", "Zm9vY", "Zm9*",   "=",     "Zm9vYg=", "\xc3\xa9vv"};
    char back[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t n = 99;
        assert_false(rf_base64url_decode(back, sizeof back, &n, cases[i], strlen(cases[i])));
        assert_int_equal(n, 0);
    }
    size_t n;
    assert_false(rf_base64url_decode(back, 2, &n, "Zm9v", 4));
    assert_true(rf_base64url_decode(back, 3, &n, "Zm9v", 4));
    assert_false(rf_base64url_decode(back, sizeof back, &n, "Zm\0v", 4));
}

/* ---- passwords ------------------------------------------------------------------------------- */

enum { COST = RF_PASSWORD_COST_MIN };

static bool verifies(const char *password, const char *hash)
{
    rf_error err = {0};
    bool matches = false;
    assert_ok(rf_password_verify(&matches, password, strlen(password), hash, &err));
    return matches;
}

static void password_verifies_against_its_hash_and_no_other_does(void **state)
{
    (void)state;
    rf_error err = {0};
    char hash[RF_PASSWORD_HASH_SIZE], other[RF_PASSWORD_HASH_SIZE];
    assert_ok(rf_password_hash(hash, "correct horse", 13, COST, &err));
    assert_ok(rf_password_hash(other, "correct horse", 13, COST, &err));
    assert_memory_equal(hash, "$2b$04$", 7);
    assert_string_not_equal(hash, other);
    assert_true(verifies("correct horse", hash));
    assert_true(verifies("correct horse", other));
    assert_false(verifies("correct hors", hash));
    assert_false(verifies("correct horsf", hash));
    assert_false(verifies("", hash));
}

static void published_bcrypt_hash_verifies(void **state)
{
    (void)state;
    assert_true(verifies("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
    assert_false(verifies("U*V", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
}

static void password_of_72_bytes_counts_to_its_last_and_a_longer_one_is_refused(void **state)
{
    (void)state;
    rf_error err = {0};
    char hash[RF_PASSWORD_HASH_SIZE], password[80];
    memset(password, 'p', sizeof password - 1);
    password[72] = 0;
    assert_ok(rf_password_hash(hash, password, 72, COST, &err));
    assert_true(verifies(password, hash));
    password[71] = 'q';
    assert_false(verifies(password, hash));
    password[71] = password[72] = 'p';
    password[73] = 0;
    assert_fails(rf_password_hash(hash, password, 73, COST, &err), RF_USAGE, "at most 72 bytes");
    assert_string_equal(hash, "");
}

static void password_that_is_longer_than_bcrypt_reads_never_matches(void **state)
{
    (void)state;
    rf_error err = {0};
    char hash[RF_PASSWORD_HASH_SIZE], password[74] = "";
    memset(password, 'p', 73);
    assert_ok(rf_password_hash(hash, password, 72, COST, &err));
    assert_false(verifies(password, hash));
}

static void password_that_cannot_be_one_is_refused_with_a_sentence(void **state)
{
    (void)state;
    rf_error err = {0};
    char hash[RF_PASSWORD_HASH_SIZE];
    assert_fails(rf_password_hash(hash, "1234567", 7, COST, &err), RF_USAGE, "at least 8");
    assert_fails(rf_password_hash(hash, "1234\000678", 8, COST, &err), RF_USAGE, "not text");
    assert_fails(rf_password_hash(hash, "1234567\xff", 8, COST, &err), RF_USAGE, "not text");
    assert_fails(rf_password_hash(hash, "12345678", 8, 3, &err), RF_INTERNAL, "no cost of 3");
}

static void what_is_no_hash_matches_nothing(void **state)
{
    (void)state;
    static const char *const cases[] = {"",
                                        "*0",
                                        "*1",
                                        "$2b$04$",
                                        "$1$abcdefgh$ABCDEFGHIJKLMNOPQRSTUV",
                                        "$2b$99$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
                                        "$9z$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"};
    rf_error err = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool matches = true;
        assert_fails(rf_password_verify(&matches, cases[i], strlen(cases[i]), cases[i], &err), RF_CORRUPT,
                     "");
        assert_false(matches);
    }
}

static void password_without_memory_says_so(void **state)
{
    (void)state;
    rf_error err = {0};
    char hash[RF_PASSWORD_HASH_SIZE];
    rf_alloc_fail_at(1);
    assert_fails(rf_password_hash(hash, "12345678", 8, COST, &err), RF_NO_MEMORY, "password");
    rf_alloc_fail_at(0);
}

static void *hash_some(void *arg)
{
    (void)arg;
    rf_error err = {0};
    char hash[RF_PASSWORD_HASH_SIZE];
    for (int i = 0; i < 5; i++)
        assert_ok(rf_password_hash(hash, "12345678", 8, COST, &err));
    return NULL;
}

static void many_threads_take_turns(void **state)
{
    (void)state;
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_some, NULL), 0);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_digests_of_its_standard),
        cmocka_unit_test(sha256_of_parts_is_that_of_the_whole),
        cmocka_unit_test(hmac_gives_the_digests_of_rfc_4231),
        cmocka_unit_test(prepared_key_signs_again_and_again),
        cmocka_unit_test(digest_without_memory_says_so),
        cmocka_unit_test(random_bytes_differ_each_time),
        cmocka_unit_test(only_the_same_bytes_are_equal),
        cmocka_unit_test(wiped_secret_is_gone),
        cmocka_unit_test(base64url_gives_the_texts_of_its_standard_without_padding),
        cmocka_unit_test(text_that_is_spelt_otherwise_is_not_decoded),
        cmocka_unit_test(password_verifies_against_its_hash_and_no_other_does),
        cmocka_unit_test(published_bcrypt_hash_verifies),
        cmocka_unit_test(password_of_72_bytes_counts_to_its_last_and_a_longer_one_is_refused),
        cmocka_unit_test(password_that_is_longer_than_bcrypt_reads_never_matches),
        cmocka_unit_test(password_that_cannot_be_one_is_refused_with_a_sentence),
        cmocka_unit_test(what_is_no_hash_matches_nothing),
        cmocka_unit_test(password_without_memory_says_so),
        cmocka_unit_test(many_threads_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
