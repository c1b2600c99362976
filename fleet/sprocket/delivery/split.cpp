// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "delivery/kinds.hpp"

namespace particle::sprocket {
namespace {

class Split final : public DeliveryFunction {
 public:
  explicit Split(std::uint64_t most) : most_(most) {}

  Result<Deliveries> on_item(std::size_t /*port*/, const Item& item) override {
    if (auto ok = seen_.insert(item); !ok) return fail(ok.error());
    if (item.span != item.frames) {
      return fail(Error::of(Errc::conflict,
                            "split delivery of " + frames_text(item.first, item.span),
                            "frames were dropped upstream: split needs all of them"));
    }
    Deliveries out;
    for (std::uint64_t at = item.first; at < item.end();) {
      const std::uint64_t to = piece_end(item, at);
      out.fired.push_back({.inputs = {{{item.id, at - item.first, to - at}}},
                           .first = at,
                           .span = to - at,
                           .frames = to - at});
      at = to;
    }
    out.let_go.push_back(item.id);
    return out;
  }
  Result<Deliveries> on_end() override { return Deliveries{}; }

 private:
  [[nodiscard]] std::uint64_t piece_end(const Item& item, std::uint64_t at) const {
    std::uint64_t to = item.end();
    const auto cut = std::upper_bound(item.cuts.begin(), item.cuts.end(), at);
    if (cut != item.cuts.end()) to = std::min(to, *cut);
    // Without markers and without a number, one frame each.
    std::uint64_t most = item.cuts.empty() ? 1 : item.span;
    if (most_ != 0) most = most_;
    return std::min(to, at + most);
  }

  std::uint64_t most_;
  Timeline seen_;
};

}  // namespace

std::unique_ptr<DeliveryFunction> make_split(std::size_t /*ports*/,
                                             const nlohmann::json& parameters) {
  return std::make_unique<Split>(parameters.value("frames", std::uint64_t{0}));
}

}  // namespace particle::sprocket
