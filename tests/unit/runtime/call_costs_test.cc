// What a row of a call costs, from made-up calls.
#include "runtime/call_costs.h"

#include <gtest/gtest.h>

namespace galago {
namespace {

TEST(CallCosts, AGuessIsWorthItsRowWhenItIsLikelierThanThatRowsShare) {
  CallCosts costs;
  for (int i = 0; i < 200; ++i)
    for (const int64_t rows : {1, 4, 16}) costs.add(rows, 9.0 + static_cast<double>(rows));
  EXPECT_NEAR(costs.worth(1), 0.1, 1e-6);            // 1 / (1 + 9)
  EXPECT_NEAR(costs.worth(9), 1.0 / (1 + 1), 1e-6);  // a call's 9 are shared by nine
  CallCosts odd;
  EXPECT_GT(odd.worth(1), 0);
  EXPECT_LT(odd.worth(1), 0.5);
  for (int i = 0; i < 100; ++i) odd.add(1 + i % 5, 7 - i % 5);  // a clock that is busy with others
  EXPECT_GT(odd.worth(1), 0);
  EXPECT_LE(odd.worth(1000), 1);
}

}  // namespace
}  // namespace galago
