// SPDX-License-Identifier: Apache-2.0
#include "delivery/kinds.hpp"

namespace particle::sprocket {
namespace {

class InOrderScenes final : public DeliveryFunction {
 public:
  Result<Deliveries> on_item(std::size_t /*port*/, const Item& item) override {
    if (auto ok = seen_.insert(item); !ok) return fail(ok.error());
    Deliveries out;
    while (const Item* next = seen_.at(end_)) {
      if (next->starts_scene && scene_.span != 0) fire(out);
      if (scene_.span == 0) scene_.first = next->first;
      scene_.span += next->span;
      scene_.frames += next->frames;
      slices_.push_back({next->id, 0, next->frames});
      out_of_.push_back(next->id);
      end_ = next->end();
    }
    return out;
  }

  Result<Deliveries> on_end() override {
    if (!seen_.items().empty() && seen_.items().rbegin()->second.end() != end_) {
      return fail(Error::of(Errc::conflict, "in-order delivery of scenes: frame " +
                                                std::to_string(end_) +
                                                " never came, later ones did"));
    }
    Deliveries out;
    if (scene_.span != 0) fire(out);
    return out;
  }

 private:
  void fire(Deliveries& out) {
    scene_.inputs.push_back(std::move(slices_));
    slices_.clear();
    out.let_go.insert(out.let_go.end(), out_of_.begin(), out_of_.end());
    out_of_.clear();
    const std::uint64_t number = scene_.scene;
    out.fired.push_back(std::move(scene_));
    scene_ = Delivery{.scene = number + 1};
  }

  Timeline seen_;
  std::uint64_t end_ = 0;
  Delivery scene_;
  std::vector<Slice> slices_;
  std::vector<std::uint64_t> out_of_;
};

}  // namespace

std::unique_ptr<DeliveryFunction> make_in_order_scenes(std::size_t /*ports*/,
                                                       const nlohmann::json&) {
  return std::make_unique<InOrderScenes>();
}

}  // namespace particle::sprocket
