/* Names of columns that hold somebody's name, number or address rather than a property of a row. */
#include <ctype.h>
#include <string.h>

#include "engine/table/csv_settle.h"

enum { NAME_BYTES_MAX = 128 };

/* Found anywhere in a name, its letters and digits run together: "E-Mail_Address", "phoneNumber". */
static const char *const long_words[] = {
    "email",        "phonenumber", "telephone",     "mobilenumber",   "firstname",
    "lastname",     "fullname",    "username",      "surname",        "postcode",
    "postalcode",   "zipcode",     "streetaddress", "ipaddress",      "macaddress",
    "latitude",     "longitude",   "creditcard",    "cardnumber",     "passport",
    "licenseplate", "bankaccount", "accountnumber", "socialsecurity", "useragent",
};

/* Only as a word of its own: "city" but not "velocity", "state" but not "statement". */
static const char *const short_words[] = {
    "id",   "ids",   "uuid",  "guid",   "ssn",     "sin",    "vin", "iban", "bban", "swift", "bic",  "zip",
    "city", "state", "phone", "mobile", "address", "street", "url", "uri",  "ipv4", "ipv6",  "name",
};

static bool is_short_word(const char *word, size_t length)
{
    for (size_t i = 0; i < sizeof short_words / sizeof *short_words; i++)
        if (strlen(short_words[i]) == length && memcmp(short_words[i], word, length) == 0)
            return true;
    return false;
}

/* Words end at anything that is no letter or digit, and before a capital after a small letter. */
bool rfi_name_says_id(const char *name)
{
    char together[NAME_BYTES_MAX + 1];
    size_t n = 0, word = 0;
    bool small = false;
    for (size_t i = 0; name[i] && n < NAME_BYTES_MAX; i++) {
        const unsigned char c = (unsigned char)name[i];
        const bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        if (!(upper || lower || digit) || (upper && small)) {
            if (is_short_word(together + word, n - word))
                return true;
            word = n;
        }
        if (upper || lower || digit)
            together[n++] = (char)(upper ? c + ('a' - 'A') : c);
        small = lower;
    }
    together[n] = 0;
    if (is_short_word(together + word, n - word))
        return true;
    for (size_t i = 0; i < sizeof long_words / sizeof *long_words; i++)
        if (strstr(together, long_words[i]))
            return true;
    return false;
}
