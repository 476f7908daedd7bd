/* fuzz_settings.c - any bytes as a .env file: settings or sentences, never a crash; no secret in what is printed. */
#include <string.h>

#include "domain/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_all(const rf_settings *settings)
{
    rf_buf text, json;
    rf_buf_init(&text);
    rf_buf_init(&json);
    rf_settings_text(settings, &text);
    rf_settings_json(settings, &json);
    const char *key = settings->secret_key;
    if (json.failed || (strlen(key) >= 32 && strstr(text.data, key) && !strstr(settings->app_name, key)))
        __builtin_trap(); /* not JSON, or a secret came out */
    rf_buf_free(&text);
    rf_buf_free(&json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char *const environment[] = {NULL};
    rf_dotenv file;
    rf_settings settings;
    rf_notes faults, remarks;
    rf_error err = {0};
    rf_notes_init(&faults);
    rf_notes_init(&remarks);
    if (rf_dotenv_parse(&file, (const char *)data, size, &err) == RF_OK) {
        /* a name that stands for a file would have the fuzzer read files */
        for (int i = 0; i < file.n; i++)
            if (strstr(file.pairs[i].name, "_FILE") && file.pairs[i].value[0])
                goto out;
        const rf_code rc = rf_settings_load(&settings, environment, &file, &faults, &remarks, &err);
        if ((rc == RF_OK) != (faults.n == 0))
            __builtin_trap(); /* a fault without a refusal, or the reverse */
        if (rc == RF_OK)
            print_all(&settings);
        rf_settings_free(&settings);
    } else if (err.message[0] == '\0')
        __builtin_trap(); /* a failure without a sentence */
out:
    rf_dotenv_free(&file);
    rf_notes_free(&faults);
    rf_notes_free(&remarks);
    return 0;
}
