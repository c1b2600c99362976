// SPDX-License-Identifier: Apache-2.0
#include "delivery/kinds.hpp"

namespace particle::sprocket {
namespace {

class OneToOne final : public DeliveryFunction {
 public:
  Result<Deliveries> on_item(std::size_t /*port*/, const Item& item) override {
    if (auto ok = seen_.insert(item); !ok) return fail(ok.error());
    Deliveries out;
    out.fired.push_back({.inputs = {{{item.id, 0, item.frames}}},
                         .first = item.first,
                         .span = item.span,
                         .frames = item.frames});
    out.let_go.push_back(item.id);
    return out;
  }
  Result<Deliveries> on_end() override { return Deliveries{}; }

 private:
  Timeline seen_;
};

}  // namespace

std::unique_ptr<DeliveryFunction> make_one_to_one(std::size_t /*ports*/, const nlohmann::json&) {
  return std::make_unique<OneToOne>();
}

}  // namespace particle::sprocket
