// 实时网页自己所说的话。

export const words = {
  zh: {
    opening: "正在打开模型",
    multiple: "特征 {feature}：倍数必须是 -{most} 到 {most} 之间的数，不能是 {value}",
    most: "已有 {n} 个回答，这是上限：移动滑块或更改提示词，可得到新的回答",
    kind: "本网页无法写出“{kind}”的文本：请选择另一种",
    strength: "强度必须是 -{most} 到 {most} 之间的数，不能是 {value}",
    unknown: "特征 {feature} 不在本网页中",
    pins: "最多同时固定 {n} 个特征；请先取消 {pins} 中的一个",
    broken: "这个浏览器无法打开模型：{why}",
  },
};
