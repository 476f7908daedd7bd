/* settings_rules.h - what must hold beyond the range of one setting. Folder-private. */
#ifndef RF_DOMAIN_SETTINGS_RULES_H
#define RF_DOMAIN_SETTINGS_RULES_H

#include "domain/settings.h"

/* Adds a sentence for each rule that is broken and fills what follows from other settings (database_path). */
void rfi_settings_check(rf_settings *settings, rf_notes *faults);

#endif
