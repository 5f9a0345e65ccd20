// The compiler places the files of BuiltIn into the object as they are, so that an installed binary needs
// nothing beside it. See BuiltIn/LICENCES.md for where they come from.
#include "CDatasets.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char digits[] = {
#embed "BuiltIn/digits.csv.gz"
};
static const unsigned char iris[] = {
#embed "BuiltIn/iris.csv"
};
static const unsigned char wine[] = {
#embed "BuiltIn/wine_data.csv"
};
static const unsigned char breast_cancer[] = {
#embed "BuiltIn/breast_cancer.csv"
};
static const unsigned char diabetes_data[] = {
#embed "BuiltIn/diabetes_data_raw.csv.gz"
};
static const unsigned char diabetes_target[] = {
#embed "BuiltIn/diabetes_target.csv.gz"
};
static const unsigned char ecg[] = {
#embed "BuiltIn/ecg.dat"
};

#define FILE_FUNCTION(name)                                                   \
  fenchel_dataset_file fenchel_##name(void) {                                 \
    return (fenchel_dataset_file){name, sizeof name};                         \
  }

FILE_FUNCTION(digits)
FILE_FUNCTION(iris)
FILE_FUNCTION(wine)
FILE_FUNCTION(breast_cancer)
FILE_FUNCTION(diabetes_data)
FILE_FUNCTION(diabetes_target)
FILE_FUNCTION(ecg)
