/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ASSAY_CORE_YAML_PRIV_H
#define ASSAY_CORE_YAML_PRIV_H

#include "core/yaml.h"

/* At the end of a sequence, or (with its key set, which is not compared with others) of a mapping.
 */
int assay_yaml_push(struct assay_yaml *parent, struct assay_yaml *child) ASSAY_MUST;

#endif
