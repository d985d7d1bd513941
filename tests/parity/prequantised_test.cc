// A text model that transformers saved with bitsandbytes' nf4 against transformers' golden of it.
#include <gtest/gtest.h>

#include "golden_case.h"
#include "support/devices.h"

namespace galago {
namespace {

TEST(Prequantised, AgreesWithTransformers) {
  for (const auto backend : {test::Backend::reference, test::Backend::cpu})
    test::expect_golden({"text_nf4", "text_nf4", 4, backend});
}

}  // namespace
}  // namespace galago
