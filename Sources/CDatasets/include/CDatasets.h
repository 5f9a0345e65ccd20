// The data sets that are shipped inside the program, byte for byte as their sources distribute them.
#ifndef FENCHEL_DATASETS_H
#define FENCHEL_DATASETS_H

#include <stddef.h>

typedef struct {
  const unsigned char *_Nonnull bytes;
  size_t count;
} fenchel_dataset_file;

fenchel_dataset_file fenchel_digits(void);
fenchel_dataset_file fenchel_iris(void);
fenchel_dataset_file fenchel_wine(void);
fenchel_dataset_file fenchel_breast_cancer(void);
fenchel_dataset_file fenchel_diabetes_data(void);
fenchel_dataset_file fenchel_diabetes_target(void);
fenchel_dataset_file fenchel_ecg(void);

#endif
