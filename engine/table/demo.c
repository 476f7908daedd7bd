/* demo.c - customers of a shop who never existed.
 *
 * One draw of four words for each row and column; what depends on what:
 *
 *     region -> city        age -> education -> job -> income -> spend -> last_order
 *     age -> marital_status, channel           spend -> satisfaction -> churned
 *     age, income -> has_loan
 *
 * Normal deviates are sums of uniforms, and the skew of incomes is a power of eight instead of an
 * exponential: nothing here needs the mathematical library, whose last digit differs between machines.
 */
#include "engine/table/demo.h"

#include <math.h>
#include <string.h>

#include "core/alloc.h"
#include "core/philox.h"
#include "engine/table/table_private.h"

#define COUNT_OF(array) ((int32_t)(sizeof(array) / sizeof(array)[0]))

/* ---------------------------------------------------------------- the columns */

enum {
    CUSTOMER_ID,
    SIGNUP_DATE,
    AGE,
    SEX,
    REGION,
    CITY,
    EDUCATION,
    JOB,
    MARITAL_STATUS,
    INCOME,
    HAS_LOAN,
    CHANNEL,
    SPEND,
    LAST_ORDER,
    SATISFACTION,
    CHURNED,
    N_COLUMNS,
};

#define WORDS(column, kind_)                                                                                 \
    {                                                                                                        \
        .name = column, .kind = RF_KIND_##kind_                                                              \
    }

static const rf_field fields[N_COLUMNS] = {
    [CUSTOMER_ID] = {.name = "customer_id", .kind = RF_KIND_ID, .primary_key = true},
    [SIGNUP_DATE] = {.name = "signup_date", .kind = RF_KIND_DATETIME, .datetime_format = "%Y-%m-%d"},
    [AGE] = WORDS("age", INTEGER),
    [SEX] = WORDS("sex", CATEGORICAL),
    [REGION] = WORDS("region", CATEGORICAL),
    [CITY] = WORDS("city", CATEGORICAL),
    [EDUCATION] = WORDS("education", CATEGORICAL),
    [JOB] = WORDS("job", CATEGORICAL),
    [MARITAL_STATUS] = WORDS("marital_status", CATEGORICAL),
    [INCOME] = {.name = "income", .kind = RF_KIND_CONTINUOUS, .decimals = 2, .min_decimals = 2},
    [HAS_LOAN] = WORDS("has_loan", BOOLEAN),
    [CHANNEL] = WORDS("channel", CATEGORICAL),
    [SPEND] = {.name = "spend", .kind = RF_KIND_CONTINUOUS, .decimals = 2, .min_decimals = 2},
    [LAST_ORDER] = {.name = "last_order", .kind = RF_KIND_DATETIME, .datetime_format = "%Y-%m-%d %H:%M"},
    [SATISFACTION] = WORDS("satisfaction", INTEGER),
    [CHURNED] = WORDS("churned", BOOLEAN),
};

/* ---------------------------------------------------------------- the words */

static const char *const truths[] = {"False", "True"};
static const char *const sexes[] = {"F", "M", "X"};
static const int sex_weights[] = {512, 481, 7};

static const char *const regions[] = {"Nordic", "Benelux", "Iberia", "Alps", "Baltic", "Adriatic"};
static const int region_weights[] = {24, 21, 19, 18, 11, 7};
static const double region_income[] = {1.10, 1.05, 0.82, 1.25, 0.74, 0.70};

enum { CITIES = 6 };
static const char *const cities[] = {
    "Stockholm", "København", "Oslo",      "Helsinki",  "Göteborg",   "Tromsø",    /* Nordic   */
    "Amsterdam", "Bruxelles", "Rotterdam", "Antwerpen", "Luxembourg", "Gent",      /* Benelux  */
    "Madrid",    "Lisboa",    "Barcelona", "Porto",     "Sevilla",    "Évora",     /* Iberia   */
    "Wien",      "Zürich",    "München",   "Bern",      "Innsbruck",  "Bolzano",   /* Alps     */
    "Riga",      "Vilnius",   "Tallinn",   "Kaunas",    "Tartu",      "Ventspils", /* Baltic   */
    "Zagreb",    "Ljubljana", "Split",     "Trieste",   "Rijeka",     "Kotor",     /* Adriatic */
};
static const int city_weights[CITIES] = {40, 24, 17, 11, 6, 2};

static const char *const educations[] = {"Primary",  "Secondary", "Vocational",
                                         "Bachelor", "Master",    "Doctorate"};
static const int education_weights[3][6] = {
    {8, 46, 16, 24, 5, 1},  /* below 26 */
    {6, 22, 27, 27, 15, 3}, /* to 55    */
    {21, 32, 28, 12, 6, 1}, /* above    */
};

enum {
    STUDENT,
    RETIRED,
    UNEMPLOYED,
    SELF_EMPLOYED,
    CLEANER,
    DRIVER,
    SALES,
    CARE,
    CRAFT,
    OFFICE,
    TEACHER,
    ENGINEER,
    MANAGER,
    PHYSICIAN,
    PILOT
};
static const char *const jobs[] = {"Student", "Retired",  "Unemployed", "Self-employed", "Cleaner",
                                   "Driver",  "Sales",    "Care",       "Craft",         "Office",
                                   "Teacher", "Engineer", "Manager",    "Physician",     "Pilot"};
static const int job_weights[6][15] = {
    /* St Re  Un Self Clean Driv Sales Care Craft Offic Teach Engin Manag Physi Pilot */
    {0, 0, 140, 90, 270, 220, 130, 90, 60, 0, 0, 0, 0, 0, 0},
    {0, 0, 80, 90, 80, 150, 230, 120, 70, 160, 0, 0, 18, 0, 2},
    {0, 0, 50, 130, 20, 100, 120, 180, 300, 80, 0, 0, 18, 0, 2},
    {0, 0, 40, 90, 4, 10, 100, 40, 10, 260, 210, 150, 80, 0, 6},
    {0, 0, 30, 110, 0, 2, 40, 10, 4, 110, 180, 290, 210, 10, 4},
    {0, 0, 15, 90, 0, 0, 5, 5, 0, 20, 170, 240, 150, 303, 2},
};
static const double job_income[] = {9500,  21000, 12500, 41000, 22500, 29500, 31000, 30000,
                                    36000, 38500, 43000, 61000, 72000, 96000, 118000};

static const char *const states[] = {"Single", "Married", "Divorced", "Widowed"};
static const int state_weights[4][4] = {
    {96, 4, 0, 0},   /* below 25 */
    {58, 37, 5, 0},  /* to 39    */
    {21, 58, 19, 2}, /* to 64    */
    {9, 52, 14, 25}, /* above    */
};

static const char *const channels[] = {"web", "app", "store", "phone", "partner"};
static const int channel_weights[3][5] = {
    {35, 55, 8, 1, 1},  /* below 35 */
    {45, 25, 24, 4, 2}, /* to 59    */
    {27, 6, 46, 20, 1}, /* above    */
};

/* ---------------------------------------------------------------- drawing */

typedef struct dice {
    rf_draw draw;
    uint32_t row;
} dice;

static rf_philox_block words_of(const dice *from, int column)
{
    rf_draw draw = from->draw;
    draw.step = (uint32_t)column;
    return rf_philox(draw, from->row);
}

static int32_t pick(uint32_t word, const int *weights, int32_t n)
{
    int total = 0;
    for (int32_t i = 0; i < n; i++)
        total += weights[i];
    int left = (int)rf_uniform_below(word, (uint32_t)total);
    int32_t i = 0;
    while (left >= weights[i])
        left -= weights[i++];
    return i;
}

static bool happens(uint32_t word, int per_mille)
{
    return (int)rf_uniform_below(word, 1000) < per_mille;
}

static double uniform(uint32_t word)
{
    return ((double)word + 0.5) * 0x1p-32;
}

/* Mean 0, variance 1, within 3.5: the sum of four uniforms. */
static double bell(rf_philox_block w)
{
    const double sum = uniform(w.word[0]) + uniform(w.word[1]) + uniform(w.word[2]) + uniform(w.word[3]);
    return (sum - 2.0) * 1.7320508075688772;
}

/* Near exp(sigma * z), for |sigma * z| < 8. */
static double skewed(double z, double sigma)
{
    const double x = 1.0 + sigma * z / 8.0, x2 = x * x, x4 = x2 * x2;
    return x4 * x4;
}

/* Whole hundredths, as a double nearest to the decimal. */
static double cents(double amount)
{
    return floor(amount * 100.0 + 0.5) / 100.0;
}

/* ---------------------------------------------------------------- one customer */

static const double first_signup_s = 1420070400.0; /* 2015-01-01 */
static const double year_2024_s = 1704067200.0;    /* 2024-01-01 */
enum { SIGNUP_DAYS = 3653, DAY_S = 86400, MINUTE_S = 60, YEAR_DAYS = 366 };

typedef struct customer {
    double value[N_COLUMNS];
    int32_t code[N_COLUMNS];
} customer;

static int age_group(double age, int first, int second, int third)
{
    return (age >= first) + (age >= second) + (age >= third);
}

static void draw_person(customer *out, const dice *from)
{
    const rf_philox_block signup = words_of(from, SIGNUP_DATE), where = words_of(from, REGION);
    const rf_philox_block age_words = words_of(from, AGE), pair = words_of(from, SEX);
    /* The later of two days: the shop grew. */
    const uint32_t a = rf_uniform_below(signup.word[0], SIGNUP_DAYS),
                   b = rf_uniform_below(signup.word[1], SIGNUP_DAYS);
    out->value[SIGNUP_DATE] = first_signup_s + (double)(a > b ? a : b) * DAY_S;
    const bool older = happens(pair.word[1], 320);
    double age = older ? 61.0 + 9.5 * bell(age_words) : 35.0 + 9.0 * bell(age_words);
    if (age < 18.0)
        age = 18.0 + (18.0 - age) * 0.5;
    out->value[AGE] = floor(age);
    out->code[SEX] = pick(pair.word[0], sex_weights, 3);
    out->code[REGION] = pick(where.word[0], region_weights, COUNT_OF(regions));
    out->code[CITY] = out->code[REGION] * CITIES + pick(where.word[1], city_weights, CITIES);
}

static int32_t draw_job(const customer *who, rf_philox_block w)
{
    const double age = who->value[AGE];
    if (age >= 66 && happens(w.word[1], 930))
        return RETIRED;
    if (age >= 60 && happens(w.word[1], 250))
        return RETIRED;
    if (age < 26 && happens(w.word[1], 480))
        return STUDENT;
    return pick(w.word[0], job_weights[who->code[EDUCATION]], COUNT_OF(jobs));
}

/* Who would rather not say: the self-employed above all. */
static int income_missing_per_mille(int32_t job)
{
    return job == SELF_EMPLOYED ? 260 : job == STUDENT ? 110 : job == RETIRED ? 15 : 40;
}

/* Returns the income that rules the rest, also where the table does not say it. */
static double draw_work(customer *out, const dice *from)
{
    const double age = out->value[AGE];
    const rf_philox_block school = words_of(from, EDUCATION), job = words_of(from, JOB);
    const rf_philox_block money = words_of(from, INCOME), home = words_of(from, MARITAL_STATUS);
    out->code[EDUCATION] =
        pick(school.word[0], education_weights[age_group(age, 26, 56, 200)], COUNT_OF(educations));
    out->code[JOB] = draw_job(out, job);
    out->code[MARITAL_STATUS] =
        pick(home.word[0], state_weights[age_group(age, 25, 40, 65)], COUNT_OF(states));
    const double years = age < 22 ? 0 : age > 55 ? 33 : age - 22;
    const double sigma = out->code[JOB] == SELF_EMPLOYED ? 0.75 : 0.24;
    const double career = out->code[JOB] == RETIRED ? 1.3 : 1.0 + 0.016 * years;
    const double income = cents(job_income[out->code[JOB]] * region_income[out->code[REGION]] * career *
                                skewed(bell(money), sigma));
    const bool silent = happens(home.word[1], income_missing_per_mille(out->code[JOB]));
    out->value[INCOME] = silent ? NAN : income;
    return income;
}

static void draw_shopping(customer *out, const dice *from, double income)
{
    static const int buys_per_mille[] = {640, 760, 560, 330, 450}; /* by channel */
    const double age = out->value[AGE];
    const rf_philox_block loan = words_of(from, HAS_LOAN), channel = words_of(from, CHANNEL);
    const rf_philox_block amount = words_of(from, SPEND), order = words_of(from, LAST_ORDER);
    const int loan_per_mille = (age < 25 || age > 68 ? 70
                                : age > 55           ? 230
                                                     : 420) +
                               (income > 35000 ? 160 : 0);
    out->code[HAS_LOAN] = happens(loan.word[0], loan_per_mille);
    out->code[CHANNEL] =
        pick(channel.word[0], channel_weights[age_group(age, 35, 60, 200)], COUNT_OF(channels));
    out->value[SPEND] = 0.0;
    out->value[LAST_ORDER] = NAN;
    if (!happens(channel.word[1], buys_per_mille[out->code[CHANNEL]]))
        return;
    out->value[SPEND] = cents(4.99 + (40.0 + 0.009 * income) * skewed(bell(amount), 0.8));
    /* Some day of 2024 after the signup, the later the likelier, and most often in the evening. */
    const double signed_up = out->value[SIGNUP_DATE] > year_2024_s ? out->value[SIGNUP_DATE] : year_2024_s;
    const uint32_t days = (uint32_t)((year_2024_s + (double)YEAR_DAYS * DAY_S - signed_up) / DAY_S);
    const uint32_t a = rf_uniform_below(order.word[0], days), b = rf_uniform_below(order.word[1], days);
    const uint32_t minute =
        480 + (rf_uniform_below(order.word[2], 900) + rf_uniform_below(order.word[3], 900) + 59) / 2;
    out->value[LAST_ORDER] = signed_up + (double)(a > b ? a : b) * DAY_S + (double)minute * MINUTE_S;
}

static void draw_opinion(customer *out, const dice *from)
{
    static const int marks[2][5] = {{4, 7, 17, 42, 30},
                                    {14, 19, 29, 26, 12}}; /* by channel: phone is disliked */
    const rf_philox_block mark = words_of(from, SATISFACTION), end = words_of(from, CHURNED);
    const bool bought = out->value[SPEND] > 0;
    const bool answers = bought && happens(mark.word[1], out->value[AGE] < 40 ? 620 : 780);
    const int32_t given = pick(mark.word[0], marks[out->code[CHANNEL] >= 3], 5) + 1;
    out->value[SATISFACTION] = answers ? (double)given : NAN;
    const int churn_per_mille = bought ? 30 + 75 * (5 - given) : 470;
    out->code[CHURNED] = happens(end.word[0], churn_per_mille);
}

/* ---------------------------------------------------------------- the table */

typedef struct vocabulary {
    int column;
    const char *const *words;
    int32_t n;
} vocabulary;

static const vocabulary vocabularies[] = {
    {SEX, sexes, COUNT_OF(sexes)},        {REGION, regions, COUNT_OF(regions)},
    {CITY, cities, COUNT_OF(cities)},     {EDUCATION, educations, COUNT_OF(educations)},
    {JOB, jobs, COUNT_OF(jobs)},          {MARITAL_STATUS, states, COUNT_OF(states)},
    {HAS_LOAN, truths, COUNT_OF(truths)}, {CHANNEL, channels, COUNT_OF(channels)},
    {CHURNED, truths, COUNT_OF(truths)},
};

enum { WORDS_MOST = COUNT_OF(cities), WORD_BYTES_MOST = 16 };

/* Codes become those of a dictionary in order of first appearance, as a reader would have made it. */
static rf_code settle_words(rf_table *table, const vocabulary *v, rf_error *err)
{
    int32_t new_code[WORDS_MOST];
    int64_t offsets[WORDS_MOST + 1] = {0};
    char bytes[WORDS_MOST * WORD_BYTES_MOST];
    rf_dict dict = {.offsets = offsets, .bytes = bytes};
    int32_t *const codes = table->columns[v->column].codes;
    for (int32_t i = 0; i < v->n; i++)
        new_code[i] = -1;
    for (int64_t row = 0; row < table->n_rows; row++) {
        const int32_t code = codes[row];
        if (new_code[code] < 0) {
            const size_t length = strlen(v->words[code]);
            memcpy(bytes + offsets[dict.n], v->words[code], length);
            offsets[dict.n + 1] = offsets[dict.n] + (int64_t)length;
            new_code[code] = dict.n++;
        }
        codes[row] = new_code[code];
    }
    return rf_table_set_dict(table, v->column, &dict, err);
}

enum { ID_BYTES = 12, ID_DIGITS = 10 };

/* Row numbers through a bijection of the numbers below 10^10 (the factor is coprime to 10): unique, and
 * not in order. */
static void write_id(char out[ID_BYTES], int64_t row, uint64_t seed)
{
    const uint64_t modulus = 10000000000u;
    uint64_t number =
        (uint64_t)(((unsigned __int128)(uint64_t)row * 7182818283u + seed % modulus + 3141592653u) % modulus);
    out[0] = 'C';
    out[1] = '-';
    for (int i = ID_DIGITS - 1; i >= 0; i--) {
        out[2 + i] = (char)('0' + number % 10);
        number /= 10;
    }
}

static rf_code fill_ids(rf_table *table, uint64_t seed, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_dict dict = {.n = (int32_t)table->n_rows};
    rf_column *const column = &table->columns[CUSTOMER_ID];
    RF_TRY(RF_NEW_ARRAY(&dict.offsets, table->n_rows + 1, "the demo's ids", err));
    RF_TRY(RF_NEW_ARRAY(&dict.bytes, table->n_rows * ID_BYTES, "the demo's ids", err));
    for (int64_t row = 0; row < table->n_rows; row++) {
        write_id(dict.bytes + row * ID_BYTES, row, seed);
        dict.offsets[row + 1] = (row + 1) * ID_BYTES;
        column->codes[row] = (int32_t)row;
    }
    rfi_table_take_dict(table, CUSTOMER_ID, dict);
    dict = (rf_dict){0};
out:
    rf_free(dict.bytes);
    rf_free(dict.offsets);
    return rc;
}

static void fill_row(rf_table *table, int64_t row, uint64_t seed)
{
    const dice from = {.draw = {.seed = seed, .purpose = RF_DRAW_DEMO}, .row = (uint32_t)row};
    customer who = {0};
    draw_person(&who, &from);
    const double income = draw_work(&who, &from);
    draw_shopping(&who, &from, income);
    draw_opinion(&who, &from);
    for (int i = CUSTOMER_ID + 1; i < N_COLUMNS; i++) {
        rf_column *const column = &table->columns[i];
        if (column->codes != NULL) {
            column->codes[row] = who.code[i];
            continue;
        }
        column->values[row] = who.value[i];
        column->n_missing += isnan(who.value[i]);
    }
}

rf_code rf_demo_table(rf_table **out, int64_t n_rows, uint64_t seed, rf_error *err)
{
    const int64_t most = 2000000000;
    rf_code rc = RF_OK;
    rf_table *table = NULL;
    rf_field own[N_COLUMNS];
    const rf_schema schema = {
        .n_fields = N_COLUMNS, .fields = own, .dialect = {.delimiter = ',', .decimal_point = '.'}};
    *out = NULL;
    if (n_rows < 0 || n_rows > most)
        return rf_fail(err, RF_USAGE, "a demo table has 0 to %lld rows, not %lld", (long long)most,
                       (long long)n_rows);
    memcpy(own, fields, sizeof own);
    for (int i = 0; i < N_COLUMNS; i++) {
        own[i].label = own[i].name;
        own[i].missing_text = "";
    }
    RF_TRY(rf_table_create(&table, &schema, n_rows, err));
    RF_TRY(fill_ids(table, seed, err));
    for (int i = 0; i < N_COLUMNS; i++)
        table->columns[i].n_missing = 0;
    for (int64_t row = 0; row < n_rows; row++)
        fill_row(table, row, seed);
    for (int32_t i = 0; i < COUNT_OF(vocabularies); i++)
        RF_TRY(settle_words(table, &vocabularies[i], err));
    *out = table;
    table = NULL;
out:
    rf_table_free(table);
    return rc;
}
