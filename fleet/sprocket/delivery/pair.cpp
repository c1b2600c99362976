// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "delivery/kinds.hpp"

namespace particle::sprocket {
namespace {

class Pair final : public DeliveryFunction {
 public:
  explicit Pair(std::size_t ports) : ports_(ports) {}

  Result<Deliveries> on_item(std::size_t port, const Item& item) override {
    if (auto ok = ports_.at(port).insert(item); !ok) return fail(ok.error());
    std::vector<Item> partners;
    for (const Timeline& timeline : ports_) {
      const Item* partner = timeline.at(item.first);
      if (partner == nullptr) return Deliveries{};
      partners.push_back(*partner);
    }
    return fire(item, partners);
  }

  Result<Deliveries> on_end() override {
    Error error = Error::of(Errc::conflict, "pair delivery",
                            "the inputs must have the same number of frames");
    for (std::size_t port = 0; port < ports_.size(); ++port) {
      for (const auto& [first, item] : ports_[port].items()) {
        for (std::size_t other = 0; other < ports_.size(); ++other) {
          if (ports_[other].at(first) != nullptr) continue;
          error.details.push_back(frames_text(first, item.span) + " of input " +
                                  std::to_string(port) + " have no partner on input " +
                                  std::to_string(other));
        }
      }
    }
    if (!error.details.empty()) return fail(std::move(error));
    return Deliveries{};
  }

 private:
  static Result<Deliveries> fire(const Item& one, const std::vector<Item>& partners) {
    Deliveries out;
    Delivery delivery{.first = one.first, .span = one.span, .frames = one.frames};
    for (const Item& partner : partners) {
      if (partner.span != one.span || partner.frames != one.frames) {
        return fail(Error::of(Errc::conflict,
                              "pair delivery at frame " + std::to_string(one.first) + ": " +
                                  std::to_string(one.frames) + " frames on one input and " +
                                  std::to_string(partner.frames) + " on another",
                              "the inputs must have the same number of frames"));
      }
      delivery.inputs.push_back({{partner.id, 0, partner.frames}});
      out.let_go.push_back(partner.id);
    }
    out.fired.push_back(std::move(delivery));
    return out;
  }

  std::vector<Timeline> ports_;
};

}  // namespace

std::unique_ptr<DeliveryFunction> make_pair(std::size_t ports, const nlohmann::json&) {
  return std::make_unique<Pair>(ports);
}

}  // namespace particle::sprocket
