// 引擎做不到所要求的事时所说的话。

export const words = {
  beyond:
    "作用范围 {scope} 没有覆盖任何词元：模型在这里读取 {n} 个词元，编号 0 到 {last}，其中 {prompt} 个属于提示词。" +
    "请选择更早的位置，或更多的词元",
  before: "作用范围 {scope} 没有覆盖这段 {n} 个词元的提示词的任何部分",
  noDialogue: "作用范围 'assistant' 只适用于对话，而这段提示词是普通文本：请选择 'generated'，或使用由对话制作的网页",
  tooLong: "{n} 个词元放不下：{name} 的上下文是 {room} 个词元；请去掉 {more} 个",
  empty: "{name} 没有文本起始词元，因此需要一段提示词来续写",
  notFinite: "写出 {n} 个词元之后 logit 不再是有限值：激活溢出了，请用较弱的钳制",
};
